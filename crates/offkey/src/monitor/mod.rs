//! From a folder of normal recordings to an alarm anyone can trust: learn, check, watch, update,
//! self-test, all with one model file.

mod calibration;
mod events;
mod file;
mod hearing;
mod learn;
mod model;
mod odd;
mod profile;
mod promise;
mod selftest;
mod spectra;
mod split;
mod task;
mod update;
mod verdict;
pub mod watch;
mod windows;

pub use events::{Change, EventRule, EventState};
pub use file::{FORMAT, ModelFileError, make_room_for};
pub use learn::{LearnReport, LearnRequest, learn};
pub use model::{JournalEntry, Monitor, MonitorArrays, MonitorCard, WindowRow, WindowVerdict};
pub use profile::{BandChange, Profile};
pub use promise::{FalseAlarmRate, Promise, RateError};
pub use selftest::{FaultCurve, SelfTest};
pub use verdict::{ClipVerdict, Verdict};
pub use windows::{WindowRef, WindowRule, Windower};
