//! What became of a watch.

use std::error::Error;

use super::Observer;
use crate::EventEvidence;

/// What became of a watch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WatchReport {
    /// Windows judged or not.
    pub windows: u64,
    /// Alarms among them.
    pub alarms: u64,
    /// Windows that could not be judged.
    pub unjudged: u64,
    /// Recordings that could not be heard.
    pub unread: u64,
    /// Events begun.
    pub events: usize,
    /// Whether an event is still going on.
    pub open: bool,
    /// Whether the source ended or was lost at the end.
    pub lost: bool,
    /// What the sound that was judged says about events per week: this watch, and earlier ones that the
    /// state file remembers, by the same model and the same alarm rule.
    pub evidence: EventEvidence,
}

/// Tells of trouble, each once until something else happens, so that a full disk fills no log with its
/// complaint.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<String>,
}

impl Complaints {
    /// Tells of an error, with its causes.
    pub(super) fn error(
        &mut self,
        what: &str,
        error: &(dyn Error + 'static),
        observer: &mut dyn Observer,
    ) {
        self.message(&format!("{what}: {}", offkey_core::with_causes(error)), observer);
    }

    /// Tells of anything.
    pub(super) fn message(&mut self, message: &str, observer: &mut dyn Observer) {
        if self.last.as_deref() != Some(message) {
            observer.trouble(message);
            self.last = Some(message.to_owned());
        }
    }
}
