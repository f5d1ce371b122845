//! From one model file to an alarm that can be trusted: windows, verdicts, the promise about false
//! alarms, events, the watch over days.
//!
//! Start at [`Monitor`]: it is loaded from a model file and judges windows and recordings.
//! [`watch::watch`] listens to a source. Learning a model file needs training, recipes and data sets,
//! and lives in `offkey::learn`.

mod card;
mod error;
mod events;
mod evidence;
mod examine;
mod file;
mod file_error;
mod finding;
mod form_1;
mod held_out;
mod kept_sound;
mod listening;
mod lock;
mod map;
mod member;
mod member_card;
mod model;
mod naming;
mod ordered;
mod parts;
mod profile;
mod promise;
mod rate;
mod recording;
mod same_sound;
mod selftest;
mod shares;
mod sizes;
mod stops;
mod update;
mod verdict;
pub mod watch;
mod windows;

pub use card::{JournalEntry, MonitorCard, RecordingCard, Role};
pub use error::MonitorError;
pub use events::{Change, EventRule, EventRuleError, EventState};
pub use evidence::EventEvidence;
pub use examine::{Examined, MemberSays};
pub use file::{make_room_for, model_bytes};
pub use file_error::{FORMAT, ModelFileError};
pub use listening::Listening;
pub use lock::lock_model;
pub use map::{Map, MapPoint};
pub use member::{Heard, HeardWindow};
pub use member_card::{MemberCard, ModelCard};
pub use model::{Monitor, WindowVerdict};
pub use offkey_infer::Model;
pub use profile::{BandChange, Profile, unusable};
pub use promise::{LEAST_RECORDINGS, Promise};
pub use rate::{FalseAlarmRate, RateError};
pub use recording::Checked;
pub use same_sound::{SameSound, closest, join_groups, same_sound};
pub use selftest::{FaultCurve, MemberCurve, Plant, PlantedFault, SelfTest};
pub use update::{Addition, Listened, UpdateReport, listen};
pub use verdict::{ClipVerdict, PKind, Problem, Verdict};
pub use windows::{ReadRecording, WindowRef, WindowRule, Windower, channels_cancel, each_window};

/// Told after each step of a long call how many steps are done, and of how many; answers whether to go
/// on.
pub type Step<'a> = &'a dyn Fn(usize, usize) -> bool;
/// Whether somebody wishes to stop: whatever listens to a recording asks before every block of sound and every window.
pub type Stop<'a> = &'a dyn Fn() -> bool;
