//! What a watch tells.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Problem;

/// One line of the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Names the event; the same again after a restart, so that a repeated line can be recognised.
    pub id: String,
    /// What happened.
    pub event: EventKind,
    /// The source; of a folder, the recording in it.
    pub source: String,
    /// Position in the source's own time, in seconds.
    pub at_s: f64,
    /// Seconds since 1970 when it was noticed.
    pub unix_s: f64,
    /// The same moment in UTC, as `2026-11-28T13:05:09Z`.
    #[serde(default)]
    pub utc: String,
    /// Largest anomaly score so far.
    pub peak_score: Option<f64>,
    /// Smallest p-value so far.
    pub p_value: Option<f64>,
    /// What keeps the source from being judged, of `lost` and `back`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Why, in a sentence.
    pub reason: String,
    /// File with the sound kept of it: from before its first alarm to its end.
    pub clip: Option<PathBuf>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A lasting change began.
    Start,
    /// It is over.
    End,
    /// The source cannot be judged: it vanished, stalled, ended, is silent or clipped.
    Lost,
    /// The source can be judged again.
    Back,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn event(id: &str) -> Event {
        Event {
            id: id.to_owned(),
            event: EventKind::Start,
            source: "pump".to_owned(),
            at_s: 1.0,
            unix_s: 2.0,
            utc: String::new(),
            peak_score: Some(0.5),
            p_value: Some(0.01),
            problem: None,
            reason: "louder".to_owned(),
            clip: None,
        }
    }
}
