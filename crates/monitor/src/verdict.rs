//! What is said of one window: a calibrated score, a verdict, and a sentence with the reason.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

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

/// What keeps a window, a recording or a source from being judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Nothing but silence.
    Silent,
    /// Much of the sound is at full scale.
    Clipped,
    /// Not usable as sound for another reason, as a constant offset.
    Unusable,
    /// Quieter than the machine ever was.
    Quieter,
    /// Louder than the machine ever was.
    Louder,
    /// The machine is not heard.
    Absent,
    /// The sound is missing below or above some frequency.
    BandMissing,
    /// Not like the machine at all.
    Unlike,
    /// Too short, of another sampling rate, or of a form that is not understood.
    NotUnderstood,
    /// The source is not there.
    Vanished,
    /// The source is there and nothing comes.
    Stalled,
    /// The source has ended.
    Ended,
}

/// What kind of number a p-value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PKind {
    /// The probability itself: every calibration window is of a recording of its own.
    Exact,
    /// The probability is at most this.
    Bound,
    /// Estimated; nothing is guaranteed.
    Measured,
}

/// What is said of one clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipVerdict {
    /// The recording.
    #[serde(with = "offkey_core::paths")]
    pub path: PathBuf,
    /// Anomaly score of its worst window: above 0 is an alarm; absent where it cannot be scored.
    pub score: Option<f64>,
    /// Probability that a normal recording looks at least this bad.
    pub p_value: Option<f64>,
    /// What kind of number that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_kind: Option<PKind>,
    /// The answer.
    pub verdict: Verdict,
    /// Why, in a sentence; of a long recording, with the place of its worst window.
    pub reason: String,
    /// What is wrong with the recording, where some of it could not be heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// What sets the recording apart from those learned from before it is heard, as another coding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

impl ClipVerdict {
    /// Whether something of it could not be judged.
    pub fn is_partial(&self) -> bool {
        self.verdict == Verdict::CannotTell || self.damage.is_some()
    }
}

/// How many times an alarm's share of normal recordings still counts as suspicious...
const SUSPICIOUS_FACTOR: f64 = 5.0;
/// ...up to this share, or where alarms are more frequent, up to the next one possible after an alarm's...
const SUSPICIOUS_SHARE: f64 = 0.1;
/// ...and never above this one: what every fifth normal recording does is not suspicious.
const MOST_SUSPICIOUS: f64 = 0.2;

impl Verdict {
    /// The verdict on what looks so bad that a share `p` of normal sound does, where an alarm is the share
    /// `alarm`, and shares come in steps of `step`.
    pub(crate) fn of(p: f64, alarm: f64, step: f64) -> Self {
        // Equal shares come from the same count, computed the same way; the slack only absorbs a
        // wish such as 0.01 that is not exactly 1/(n+1).
        let slack = 1e-9;
        let suspicious = (SUSPICIOUS_FACTOR * alarm)
            .min(SUSPICIOUS_SHARE.max(alarm + step))
            .min(MOST_SUSPICIOUS);
        if p <= alarm + slack {
            Self::Alarm
        } else if p <= suspicious + slack {
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
    use offkey_score::jackknife_plus_bound;

    use super::*;

    #[test]
    fn verdicts_follow_the_p_value() {
        let cases = [
            (0.01, Verdict::Alarm),
            (0.02, Verdict::Suspicious),
            (0.05, Verdict::Suspicious),
            (0.06, Verdict::Normal),
        ];
        for (p, expected) in cases {
            assert_eq!(Verdict::of(p, 0.01, 0.01), expected, "p = {p}");
        }
    }

    #[test]
    fn what_every_fifth_normal_does_is_never_suspicious() {
        for normals in 5..120 {
            let bound = |lost: usize| jackknife_plus_bound(lost, normals);
            for worse in 1..normals {
                let verdict = Verdict::of(bound(worse), bound(0), bound(1) - bound(0));
                assert!(
                    bound(worse) <= 0.2 + 1e-9 || verdict == Verdict::Normal,
                    "{worse} of {normals}"
                );
            }
        }
        let of = |normals: usize| {
            let bound = |lost: usize| jackknife_plus_bound(lost, normals);
            [0, 1, 2].map(|lost| Verdict::of(bound(lost), bound(0), bound(1) - bound(0)))
        };
        assert_eq!(of(13), [Verdict::Alarm, Verdict::Normal, Verdict::Normal]);
        assert_eq!(of(20), [Verdict::Alarm, Verdict::Suspicious, Verdict::Normal]);
        assert_eq!(of(100), [Verdict::Alarm, Verdict::Suspicious, Verdict::Suspicious]);
    }
}
