//! Listening for days: sources come and go, disks fill up, processes are killed; no alarm is lost.

mod clips;
mod journal;
#[cfg(feature = "microphone")]
mod microphone;
mod sources;
mod watcher;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use journal::{Event, EventKind};
pub use offkey_signal::{PcmFormat, SampleKind};

use crate::{EventRule, Monitor, MonitorError, WindowVerdict};

/// Where sound comes from.
pub enum WatchSource {
    /// A folder that recordings are written to; each is heard once, when it has stopped growing.
    Folder(PathBuf),
    /// A file that grows: WAV and its family, or raw samples.
    File(PathBuf),
    /// Bytes that come from elsewhere, as standard input: whatever a file may hold, or raw samples.
    /// Compressed sound is judged when it has ended.
    Stream(Box<dyn std::io::Read + Send>),
}

/// How to watch.
pub struct WatchRequest {
    /// Where sound comes from.
    pub source: WatchSource,
    /// What the source is called in events.
    pub name: String,
    /// Form of raw samples.
    pub raw: PcmFormat,
    /// When windows become an event.
    pub rule: EventRule,
    /// File that events are appended to.
    pub log: Option<PathBuf>,
    /// File that remembers where the source stands, over restarts.
    pub state: Option<PathBuf>,
    /// Where sound around events is kept.
    pub keep: Option<KeepRule>,
    /// How often a folder or a growing file is looked at.
    pub poll: Duration,
    /// Whether to end when a file or folder has nothing new, instead of waiting.
    pub once: bool,
}

/// How sound around events is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeepRule {
    /// The folder.
    pub folder: PathBuf,
    /// Seconds kept before the window that opened the event.
    pub pre_roll_s: f64,
    /// Most bytes the folder may hold; the oldest clips go first.
    pub most_bytes: u64,
}

/// What a watch tells while it runs.
pub trait WatchObserver {
    /// A window of a source was judged; `at_s` is where it begins in the source's own time.
    fn window(&mut self, source: &str, at_s: f64, verdict: &WindowVerdict);
    /// An event began or ended.
    fn event(&mut self, event: &Event);
    /// Something went wrong that watching survives.
    fn trouble(&mut self, message: &str);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
}

/// Opens the microphone of that name, or the system's default one, at one of `rates_hz`: a source for
/// [`WatchSource::Stream`], and the form of its samples.
///
/// # Errors
/// [`MonitorError::Microphone`] when there is none, when it knows none of the rates, or when offkey
/// was built without the feature `microphone`.
#[cfg(feature = "microphone")]
pub fn open_microphone(
    name: Option<&str>,
    rates_hz: &[u32],
) -> Result<(WatchSource, PcmFormat), MonitorError> {
    let (microphone, format) = microphone::open(name, rates_hz)?;
    Ok((WatchSource::Stream(Box::new(microphone)), format))
}

/// Refuses: offkey was built without the feature `microphone`.
///
/// # Errors
/// Always [`MonitorError::Microphone`].
#[cfg(not(feature = "microphone"))]
pub fn open_microphone(
    name: Option<&str>,
    _rates_hz: &[u32],
) -> Result<(WatchSource, PcmFormat), MonitorError> {
    Err(MonitorError::Microphone {
        name: name.unwrap_or("default").to_owned(),
        problem: "this build has no sound library".to_owned(),
    })
}

fn same_folder(first: &Path, second: &Path) -> bool {
    match (first.canonicalize(), second.canonicalize()) {
        (Ok(first), Ok(second)) => first == second,
        _ => first == second,
    }
}

/// Watches a source until it ends or the observer stops it; returns the number of events begun.
///
/// # Errors
/// [`MonitorError`] when state or log cannot be read at the start, or a stream's header cannot be
/// understood; later trouble is told and survived.
pub fn watch(
    monitor: &Monitor,
    request: WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, MonitorError> {
    let WatchRequest { source, keep, .. } = &request;
    if let (WatchSource::Folder(folder), Some(keep)) = (source, keep)
        && same_folder(folder, &keep.folder)
    {
        return Err(MonitorError::KeptInSource { path: keep.folder.clone() });
    }
    match source {
        WatchSource::Folder(_) => sources::watch_folder(monitor, &request, observer),
        WatchSource::File(_) => sources::watch_file(monitor, &request, observer),
        WatchSource::Stream(_) => sources::watch_stream(monitor, request, observer),
    }
}
