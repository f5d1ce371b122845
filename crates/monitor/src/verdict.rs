//! What is said of one window: a calibrated score, a verdict, and a sentence with the reason.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::promise::Promise;

/// The answer for a window or a clip, from best to worst; `CannotTell` stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Sounds like the normal recordings.
    Normal,
    /// The recording itself is not usable, or of nothing the model knows.
    CannotTell,
    /// Unusual, though not rare enough for an alarm.
    Suspicious,
    /// Rarer than the promised false-alarm rate.
    Alarm,
}

/// What is said of one clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipVerdict {
    /// The recording.
    #[serde(with = "offkey_core::paths")]
    pub path: PathBuf,
    /// Anomaly score of its worst window; absent where it cannot be scored.
    pub score: Option<f64>,
    /// Probability that a normal window looks at least this bad.
    pub p_value: Option<f64>,
    /// The answer.
    pub verdict: Verdict,
    /// Why, in a sentence; of a long recording, with the place of its worst window.
    pub reason: String,
}

/// How many times the alarm's p-value still counts as suspicious...
const SUSPICIOUS_FACTOR: f64 = 5.0;
/// ...up to this p-value, or where alarms are more frequent, up to the next one possible after an alarm's: what
/// every third normal window does is not suspicious.
const SUSPICIOUS_P: f64 = 0.1;

impl Verdict {
    /// The verdict that a p-value deserves under a promise.
    pub fn of(p_value: f64, promise: &Promise) -> Self {
        let alarm = promise.alarm_p();
        let next = alarm + 1.0 / (promise.calibration_windows as f64 + 1.0);
        // Equal p-values come from the same count, computed the same way; the slack only absorbs a
        // wish such as 0.01 that is not exactly 1/(n+1).
        let slack = 1e-9;
        if p_value <= alarm + slack {
            Self::Alarm
        } else if p_value <= (SUSPICIOUS_FACTOR * alarm).min(SUSPICIOUS_P.max(next)) + slack {
            Self::Suspicious
        } else {
            Self::Normal
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Normal => "normal",
            Self::CannotTell => "cannot_tell",
            Self::Suspicious => "suspicious",
            Self::Alarm => "alarm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_p_value() {
        let promise = Promise::new(None, 10.0, 99, 4);
        let cases = [
            (0.01, Verdict::Alarm),
            (0.02, Verdict::Suspicious),
            (0.05, Verdict::Suspicious),
            (0.06, Verdict::Normal),
        ];
        for (p_value, expected) in cases {
            assert_eq!(Verdict::of(p_value, &promise), expected, "p = {p_value}");
        }
    }

    #[test]
    fn few_calibration_windows_do_not_make_every_third_window_suspicious() {
        let promise = Promise::new(None, 10.0, 12, 4);
        let verdict = |as_far: i32| Verdict::of(f64::from(1 + as_far) / 13.0, &promise);
        assert_eq!([0, 1, 2].map(verdict), [Verdict::Alarm, Verdict::Suspicious, Verdict::Normal]);
    }
}
