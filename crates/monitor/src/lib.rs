//! From one model file to an alarm that can be trusted: windows, verdicts, the promise about false
//! alarms, events, the watch over days.
//!
//! Start at [`Monitor`]: it is loaded from a model file and judges windows and recordings.
//! [`watch::watch`] listens to a source. Learning a model file needs training, recipes and data sets,
//! and lives in `offkey::learn`.

mod calibration;
mod error;
mod events;
mod file;
mod hearing;
mod model;
mod odd;
mod profile;
mod promise;
mod selftest;
mod spectra;
mod update;
mod verdict;
pub mod watch;
mod windows;

pub use error::MonitorError;
pub use events::{Change, EventRule, EventState};
pub use file::{FORMAT, ModelFileError, make_room_for};
pub use hearing::{Heard, Step, hear};
pub use model::{JournalEntry, Monitor, MonitorArrays, MonitorCard, WindowRow, WindowVerdict};
pub use profile::{BandChange, Profile, unusable};
pub use promise::{FalseAlarmRate, Promise, RateError};
pub use selftest::{FaultCurve, Plant, PlantedFault, SelfTest};
pub use verdict::{ClipVerdict, Verdict};
pub use windows::{WindowRef, WindowRule, WindowSource, Windower, each_window};
