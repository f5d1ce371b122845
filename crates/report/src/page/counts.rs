//! Counts of test clips by truth and decision.

use askama::filters::HtmlSafe;
use offkey_core::{Condition, ScoreRow};

/// What came of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A fault without an alarm.
    Missed,
    /// An alarm on a normal clip.
    FalseAlarm,
    /// A fault with an alarm.
    Found,
    /// A normal clip without an alarm.
    Normal,
    /// An alarm on a clip without label.
    Alarm,
    /// No alarm on a clip without label.
    NoAlarm,
    /// Without a decision.
    Undecided,
}

impl Outcome {
    /// All of them, mistakes first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Missed,
        Self::FalseAlarm,
        Self::Found,
        Self::Normal,
        Self::Alarm,
        Self::NoAlarm,
        Self::Undecided,
    ];

    pub(crate) fn of(row: &ScoreRow) -> Self {
        match (row.decision, row.clip.condition) {
            (None, _) => Self::Undecided,
            (Some(false), Some(Condition::Anomaly)) => Self::Missed,
            (Some(true), Some(Condition::Normal)) => Self::FalseAlarm,
            (Some(true), Some(Condition::Anomaly)) => Self::Found,
            (Some(false), Some(Condition::Normal)) => Self::Normal,
            (Some(true), None) => Self::Alarm,
            (Some(false), None) => Self::NoAlarm,
        }
    }

    /// As one clip is named.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed fault",
            Self::FalseAlarm => "false alarm",
            Self::Found => "found fault",
            Self::Normal => "normal",
            Self::Alarm => "alarm",
            Self::NoAlarm => "no alarm",
            Self::Undecided => "undecided",
        }
    }

    /// As several are.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Missed => "Missed faults",
            Self::FalseAlarm => "False alarms",
            Self::Found => "Found faults",
            Self::Normal => "Normal, no alarm",
            Self::Alarm => "Alarms",
            Self::NoAlarm => "No alarm",
            Self::Undecided => "Undecided",
        }
    }

    /// Class of the style and name in the script.
    pub(crate) fn key(self) -> Key {
        Key(match self {
            Self::Missed => "missed",
            Self::FalseAlarm => "false-alarm",
            Self::Found => "found",
            Self::Normal => "normal",
            Self::Alarm => "alarm",
            Self::NoAlarm => "no-alarm",
            Self::Undecided => "undecided",
        })
    }
}

/// A word of ours that stands in markup as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) &'static str);

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl HtmlSafe for Key {}

/// How many clips came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts([usize; 7]);

impl Counts {
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a ScoreRow>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.0[Outcome::of(row) as usize] += 1;
        }
        counts
    }

    pub(crate) fn get(&self, outcome: Outcome) -> usize {
        self.0[outcome as usize]
    }

    pub(crate) fn all(&self) -> usize {
        self.0.iter().sum()
    }

    /// Decided anomalous clips.
    pub(crate) fn anomalous(&self) -> usize {
        self.get(Outcome::Found) + self.get(Outcome::Missed)
    }

    /// Decided normal clips.
    pub(crate) fn normal(&self) -> usize {
        self.get(Outcome::Normal) + self.get(Outcome::FalseAlarm)
    }

    /// Whether clips are both decided and labelled.
    pub(crate) fn is_judged(&self) -> bool {
        self.anomalous() + self.normal() > 0
    }
}
