//! The heart of the service: what listeners, people and time bring reaches one thread, the recorder.

mod entry;
mod recorder;
mod roll;
mod room;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio::sync::{broadcast, oneshot};

use crate::{
    alarm::Command,
    config::Keep,
    ear::Ear,
    judge::Judged,
    liveness::SoundStats,
    machine::{MachineRule, MachineView},
    metrics::Metrics,
    source::Position,
    spectrum::Bands,
    store::{ClipStore, EventRow, FeedbackRow, Quota, Store, StoreHealth},
};

pub use recorder::Recorder;

/// A judged window, as a listener tells it.
pub struct HeardWindow {
    /// What was said of it.
    pub judged: Judged,
    /// When it began.
    pub at_ms: i64,
    /// When it ended.
    pub ends_ms: i64,
    /// Its level in decibels relative to full scale.
    pub level_db: f64,
    /// What a model that is tried said of it, by the model's name and version.
    pub beside: Option<(String, Judged)>,
    /// Whether it sounds like the machine at rest.
    pub idle: Option<bool>,
    /// Where the source stands after it.
    pub position: Position,
    /// Sound since the window before.
    pub sound: Vec<f32>,
    /// Rate of the sound.
    pub rate_hz: u32,
    /// Time between windows.
    pub hop_ms: u64,
}

/// The picture of a stretch of sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureColumn {
    /// Levels of its bands.
    pub bands: Bands,
    /// Rate of the sound.
    pub rate_hz: u32,
    /// When it ended.
    pub ends_ms: i64,
}

/// What people ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Something about the alarm.
    Alarm(Command),
    /// Whether the machine runs; none: the sound decides.
    Running(Option<bool>),
    /// Somebody said something about an event.
    Feedback(FeedbackRow),
    /// Somebody took that back.
    Undo {
        /// The feedback.
        feedback: String,
    },
    /// Something of its model changed, as in `model.changed`: how, in a sentence.
    Model {
        /// What happened.
        kind: &'static str,
        /// How.
        reason: String,
    },
    /// Everything stored of the machine is to be removed.
    Forget,
}

/// What reaches the recorder.
pub enum Message {
    /// A window was judged.
    Window {
        /// The machine.
        machine: String,
        /// The window.
        heard: Box<HeardWindow>,
    },
    /// Sound came.
    Sound {
        /// The machine.
        machine: String,
        /// What it was like.
        stats: SoundStats,
        /// Its picture, where somebody looks or it is kept.
        picture: Option<PictureColumn>,
    },
    /// A stretch of a source was heard to its end.
    Position {
        /// The machine.
        machine: String,
        /// What to remember.
        position: Position,
    },
    /// A source ended (with the reason), or is back.
    Source {
        /// The machine.
        machine: String,
        /// Why it ended.
        ended: Option<String>,
    },
    /// Something of a source cannot be heard.
    LeftOut {
        /// The machine.
        machine: String,
        /// Why.
        reason: String,
    },
    /// The sound of a source differs from what the model was learned from before it is heard.
    Differs {
        /// The machine.
        machine: String,
        /// How.
        reason: String,
    },
    /// A person asks for something; the answer is whether anything changed.
    Ask {
        /// The machine.
        machine: String,
        /// What.
        ask: Ask,
        /// Who.
        who: String,
        /// Where the answer goes.
        answer: Option<oneshot::Sender<bool>>,
    },
    /// A sink has delivered a message, or given it up.
    Delivered {
        /// The sink.
        sink: String,
        /// The event.
        id: String,
        /// What is counted, as in `delivered`.
        outcome: &'static str,
    },
    /// The machines that there are from now on.
    Machines(BTreeMap<String, MachineSetup>),
    /// The end.
    Stop,
}

/// How one machine is treated.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineSetup {
    /// Its rules.
    pub rule: MachineRule,
    /// What people call it.
    pub title: String,
    /// Sinks that hear of it.
    pub sinks: Vec<String>,
    /// Sinks that hear of it when nobody acknowledges.
    pub escalate_to: Vec<String>,
    /// What is kept of the sound around alarms.
    pub keep: Keep,
    /// Sound before an alarm's first window.
    pub before_ms: u64,
    /// Days that sound is kept.
    pub sound_days: u32,
    /// How much sound is kept.
    pub quota: Quota,
    /// Folder of uploads, which are removed once they were heard.
    pub uploads: Option<PathBuf>,
}

/// What pages are told while it happens.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "data")]
pub enum Live {
    /// A machine changed.
    Machine(Box<MachineView>),
    /// Something happened.
    Event(Box<EventRow>),
    /// How loud a machine is.
    Level {
        /// The machine.
        machine: String,
        /// In decibels relative to full scale.
        level_db: f32,
    },
    /// The picture of a machine's last quarter of a second; only for who looks at that machine.
    Spectrum {
        /// The machine.
        machine: String,
        /// Highest frequency.
        high_hz: f32,
        /// Levels of the bands, low to high, in decibels above -120 dB.
        bands: Vec<u8>,
    },
    /// How the store fares.
    Store {
        /// What is wrong; none: nothing.
        trouble: Option<String>,
    },
}

/// What the recorder shares with pages and sinks.
pub struct Shared {
    /// The store; only the recorder writes to it.
    pub store: Mutex<Store>,
    /// Sounds kept.
    pub clips: ClipStore,
    /// Every machine as a page shows it.
    pub views: RwLock<BTreeMap<String, MachineView>>,
    /// What happens, as it happens.
    pub live: broadcast::Sender<Live>,
    /// Numbers for Prometheus.
    pub metrics: Metrics,
    /// What is asked of those who listen.
    pub ears: RwLock<BTreeMap<String, Arc<Ear>>>,
}

impl Shared {
    /// What is asked of who listens to a machine.
    pub fn ear(&self, machine: &str) -> Arc<Ear> {
        let mut ears = self.ears.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ears.entry(machine.to_owned()).or_default())
    }

    /// How the store fares.
    pub fn health(&self) -> StoreHealth {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).health().clone()
    }
}
