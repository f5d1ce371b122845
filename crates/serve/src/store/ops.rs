//! What is written, as data.

use offkey_monitor::Verdict;

/// A window that two models judged: the one in use, and one that is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideRow {
    /// The machine.
    pub machine: String,
    /// Name and version of the model that is tried.
    pub model: String,
    /// When the window began, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether the one in use alarms.
    pub live: bool,
    /// Whether the one that is tried alarms.
    pub shadow: bool,
}

/// What is remembered of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// The machine.
    pub machine: String,
    /// When the window began, in milliseconds since 1970.
    pub at_ms: i64,
    /// Anomaly score.
    pub score: Option<f64>,
    /// Probability that a normal window looks at least this bad.
    pub p_value: Option<f64>,
    /// Level in decibels relative to full scale.
    pub level_db: Option<f64>,
    /// The answer.
    pub verdict: WindowAnswer,
}

/// The answer for a window, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WindowAnswer {
    /// Sounds normal.
    Normal = 0,
    /// Not usable.
    CannotTell = 1,
    /// Unusual.
    Suspicious = 2,
    /// Alarms.
    Alarm = 3,
    /// Not judged: the machine is off or has just started.
    NotJudged = 4,
}

impl From<Verdict> for WindowAnswer {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Normal => Self::Normal,
            Verdict::CannotTell => Self::CannotTell,
            Verdict::Suspicious => Self::Suspicious,
            Verdict::Alarm => Self::Alarm,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EventRow {
    /// Names the event, for ever.
    pub id: String,
    /// The machine.
    pub machine: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened, as in `alarm.began`.
    pub kind: String,
    /// Number of the alarm it is about.
    pub alarm: Option<u64>,
    /// Why, in a sentence.
    pub reason: String,
    /// Anomaly score.
    pub score: Option<f64>,
    /// p-value.
    pub p_value: Option<f64>,
    /// Name of the sound kept.
    pub clip: Option<String>,
    /// Who did it, where a person did.
    pub who: Option<String>,
}

/// A sound kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipRow {
    /// Its name: machine, stroke, file.
    pub name: String,
    /// The machine.
    pub machine: String,
    /// When it begins, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its size.
    pub bytes: u64,
    /// Anomaly score of its worst window.
    pub score: Option<f64>,
}

/// What a person said about an event.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FeedbackRow {
    /// Names it.
    pub id: String,
    /// The machine.
    pub machine: String,
    /// When.
    pub at_ms: i64,
    /// The event.
    pub event: String,
    /// `normal` or `fault`.
    pub kind: String,
    /// What the fault is called.
    pub name: Option<String>,
    /// Who said so.
    pub who: Option<String>,
    /// When it was taken back.
    pub undone_ms: Option<i64>,
}

/// A message on its way to a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The event's name: a receiver that has seen it may pass it over.
    pub id: String,
    /// The sink.
    pub sink: String,
    /// When it was written.
    pub made_ms: i64,
    /// The message, as JSON.
    pub message: String,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// A window was judged.
    Score(ScoreRow),
    /// Two models judged a window.
    Beside(BesideRow),
    /// Something happened. The same event again changes nothing.
    Event(EventRow),
    /// The state of a machine.
    State {
        /// The machine.
        machine: String,
        /// When.
        saved_ms: i64,
        /// As JSON.
        state: String,
    },
    /// Where a source stands; `None` forgets the key.
    Position {
        /// The machine.
        machine: String,
        /// Which part of the source.
        key: String,
        /// How far.
        value: Option<String>,
    },
    /// A person said something about an event.
    Feedback(FeedbackRow),
    /// A person took that back.
    Undone {
        /// Which.
        id: String,
        /// When.
        at_ms: i64,
    },
    /// A sound was kept.
    Clip(ClipRow),
    /// A sound was removed.
    ClipGone {
        /// Its name.
        name: String,
    },
    /// A message is to be delivered. The same one again changes nothing.
    Outbox(OutboxRow),
    /// A message was delivered, or given up.
    Delivered {
        /// The sink.
        sink: String,
        /// The event's name.
        id: String,
    },
    /// Something is counted.
    Count {
        /// What.
        name: String,
        /// How many more.
        by: u64,
    },
}

impl Op {
    /// Whether losing it would lose an alarm: such operations are kept longest while the disk is full.
    pub(crate) fn matters(&self) -> bool {
        !matches!(self, Self::Score(_) | Self::Beside(_) | Self::Count { .. })
    }
}
