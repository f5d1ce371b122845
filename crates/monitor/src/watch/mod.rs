//! Listening for days: sources come and go, disks fill up, processes are killed; no alarm is lost.
//!
//! A [`Source`] hands over pieces of sound; a [`Watcher`] judges them, makes events, keeps the sound
//! around them, and remembers where the source stands; a [`Sink`] takes the events. [`watch`] joins them
//! for one source. Whoever has threads and clocks of its own drives a [`Watcher`] itself.

mod blocks;
mod clip;
mod clock;
mod confirmed;
mod event;
mod file;
mod folder;
mod follow;
mod held;
mod mark;
mod memory;
#[cfg(feature = "microphone")]
mod microphone;
mod only_whole;
mod reading;
mod report;
mod sink;
mod source;
mod stream;
mod watcher;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use blocks::blocks;
pub use clip::KeepRule;
pub use clock::{Clock, ManualClock, Now, SystemClock, utc};
pub use confirmed::hours_of_faults;
pub use event::{Event, EventKind};
pub use file::{GrowingFile, raw_form};
pub use folder::{Folder, Found, recordings};
pub use follow::{Follow, FollowError, Look};
pub use mark::Mark;
pub use memory::{Bookmark, Bookmarks, Memory, counted_by};
pub use offkey_signal::{PcmFormat, SampleKind};
pub use only_whole::{only_whole, why_only_whole};
pub use report::WatchReport;
pub use sink::{LogFile, Outbox, Sink};
pub use source::{Piece, Source, Stretch};
pub use stream::ByteStream;
pub use watcher::Watcher;

pub use crate::Listening;
use crate::{EventRule, Monitor, MonitorError, WindowVerdict};

/// How to watch.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the source is called in events.
    pub name: String,
    /// When windows become an event.
    pub rule: EventRule,
    /// File that events are appended to.
    pub log: Option<PathBuf>,
    /// File that remembers where the source stands, over restarts.
    pub state: Option<PathBuf>,
    /// Where sound around events is kept.
    pub keep: Option<KeepRule>,
    /// How long nothing may come before that is told; none: for ever.
    pub stall: Option<Duration>,
}

/// What a watch tells while it runs.
pub trait Observer {
    /// A window of a source was judged; `at_s` is where it begins in the source's own time, `unix_s` now.
    fn window(&mut self, source: &str, at_s: f64, unix_s: f64, verdict: &WindowVerdict);
    /// An event began or ended.
    fn event(&mut self, event: &Event);
    /// Something went wrong that watching survives.
    fn trouble(&mut self, message: &str);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
}

/// Longest that a source may wait for sound, so that a stop is noticed soon.
const NAP: Duration = Duration::from_millis(50);

/// Watches a source until it ends or the observer stops it.
///
/// # Errors
/// [`MonitorError`] when log or record cannot be read at the start or another watch uses them, when a
/// model refuses a window, or when events could not be written to the end; later trouble is told and
/// survived.
pub fn watch(
    monitor: &Monitor,
    source: &mut dyn Source,
    settings: &Settings,
    clock: &dyn Clock,
    observer: &mut dyn Observer,
) -> Result<WatchReport, MonitorError> {
    let mut watcher = Watcher::new(monitor, settings, clock, observer)?;
    while !observer.cancelled() {
        let piece = source.next(watcher.memory().bookmarks(), NAP);
        if !watcher.take(piece, observer)? {
            break;
        }
    }
    watcher.finish(observer)
}

/// Opens the microphone of that name, or the system's default one, at one of `rates_hz`: bytes, and the
/// form of their samples.
///
/// # Errors
/// [`MonitorError::Microphone`] when there is none, when it knows none of the rates, or when offkey
/// was built without the feature `microphone`.
#[cfg(feature = "microphone")]
pub fn open_microphone(
    name: Option<&str>,
    rates_hz: &[u32],
) -> Result<(Box<dyn std::io::Read + Send>, PcmFormat), MonitorError> {
    let (microphone, format) = microphone::open(name, rates_hz)?;
    Ok((Box::new(microphone), format))
}

/// Refuses: offkey was built without the feature `microphone`.
///
/// # Errors
/// Always [`MonitorError::Microphone`].
#[cfg(not(feature = "microphone"))]
pub fn open_microphone(
    name: Option<&str>,
    _rates_hz: &[u32],
) -> Result<(Box<dyn std::io::Read + Send>, PcmFormat), MonitorError> {
    Err(MonitorError::Microphone {
        name: name.unwrap_or("default").to_owned(),
        problem: "this build has no sound library".to_owned(),
    })
}

/// Refuses to keep sound in the folder that is watched.
///
/// # Errors
/// [`MonitorError::KeptInSource`] when both are one.
pub fn keep_elsewhere(watched: &Path, kept: &Path) -> Result<(), MonitorError> {
    let same = match (watched.canonicalize(), kept.canonicalize()) {
        (Ok(watched), Ok(kept)) => watched == kept,
        _ => watched == kept,
    };
    if same { Err(MonitorError::KeptInSource { path: kept.to_owned() }) } else { Ok(()) }
}

/// Holds that a file can be heard while it grows.
///
/// # Errors
/// [`MonitorError::OnlyWhole`] of a form that is heard only once it is whole, told by its first bytes, or by its
/// name where there are none yet.
pub fn can_grow(path: &Path) -> Result<(), MonitorError> {
    match only_whole(path) {
        Some(form) => {
            let (path, why) = (path.to_owned(), why_only_whole(&form));
            Err(MonitorError::OnlyWhole { path, why })
        }
        None => Ok(()),
    }
}
