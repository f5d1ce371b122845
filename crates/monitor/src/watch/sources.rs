//! The three kinds of source: a folder, a growing file, a stream of bytes.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use offkey_signal::{AudioError, ClipReader, StreamReader};

use super::{
    WatchObserver, WatchRequest, WatchSource,
    journal::{EventKind, Recording},
    watcher::{Origin, Watcher},
};
use crate::{Monitor, MonitorError, Windower};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 15;
/// Naps while waiting, so that a stop is noticed soon.
const NAP: Duration = Duration::from_millis(50);

/// Hears each recording of a folder once, when it has not changed between two looks.
pub(super) fn watch_folder(
    monitor: &Monitor,
    request: &WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, MonitorError> {
    let WatchSource::Folder(folder) = &request.source else { return Ok(0) };
    let mut watcher = Watcher::new(monitor, request)?;
    let mut seen: BTreeSet<Recording> = BTreeSet::new();
    let mut lost = false;
    loop {
        match recordings(folder) {
            Ok(now) => {
                if std::mem::take(&mut lost) {
                    watcher.tell_source(EventKind::Back, "the folder is back", observer);
                }
                let heard = &watcher.position.heard;
                let mut due: Vec<Recording> = now
                    .iter()
                    .filter(|recording| request.once || seen.contains(recording))
                    .filter(|recording| !heard.contains(recording))
                    .cloned()
                    .collect();
                due.sort_by_key(|recording| (recording.modified_ms, recording.name.clone()));
                for recording in due {
                    hear_recording(&mut watcher, folder, recording, observer)?;
                    if observer.cancelled() {
                        return watcher.finish(observer);
                    }
                }
                watcher.position.heard.retain(|recording| now.contains(recording));
                seen = now;
            }
            Err(error) if !lost => {
                lost = true;
                let reason = format!("the folder cannot be read: {error}");
                watcher.tell_source(EventKind::Lost, &reason, observer);
            }
            Err(_) => {}
        }
        watcher.record(observer);
        if request.once || !wait(request.poll, observer) {
            return watcher.finish(observer);
        }
    }
}

/// The recordings of a folder.
fn recordings(folder: &Path) -> io::Result<BTreeSet<Recording>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        if !offkey_core::names::is_audio(&name) {
            continue;
        }
        // A file may be gone between listing and asking.
        let Ok(data) = fs::metadata(&path) else { continue };
        let modified = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_ms = modified.map_or(0, |since| since.as_millis() as u64);
        found.insert(Recording { name, bytes: data.len(), modified_ms });
    }
    Ok(found)
}

/// Hears one recording from where it stood; what is wrong with it is told, and survived.
fn hear_recording(
    watcher: &mut Watcher<'_>,
    folder: &Path,
    recording: Recording,
    observer: &mut dyn WatchObserver,
) -> Result<(), MonitorError> {
    if watcher.position.hearing.as_ref() != Some(&recording) {
        watcher.position.hearing = Some(recording.clone());
        watcher.position.next_sample = 0;
    }
    let path = folder.join(&recording.name);
    let source = path.display().to_string();
    let origin = Origin { id: format!("{source}#{}", recording.modified_ms), source: &source };
    if let Err(error) = hear_file(watcher, &path, &origin, observer)? {
        watcher.complain("left out", &error, observer);
    }
    if !observer.cancelled() {
        watcher.position.heard.insert(recording);
        watcher.position.hearing = None;
        watcher.position.next_sample = 0;
    }
    watcher.record(observer);
    Ok(())
}

/// The inner error is about the recording, the outer one ends the watch.
fn hear_file(
    watcher: &mut Watcher<'_>,
    path: &Path,
    origin: &Origin<'_>,
    observer: &mut dyn WatchObserver,
) -> Result<Result<(), MonitorError>, MonitorError> {
    let card = watcher.monitor.card();
    let mut reader = match ClipReader::open(path, &card.windows.decode_config()) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error.into())),
    };
    let found = reader.info().rate_hz;
    if !card.rates_hz.contains(&found) {
        let (path, expected) = (path.to_owned(), card.rates_hz.clone());
        return Ok(Err(MonitorError::RecordingRate { path, found, expected }));
    }
    let (length_s, needed) = (reader.info().duration_s(), card.windows.samples as u64);
    let mut skip = watcher.position.next_sample;
    let mut heard = 0;
    let mut windower = Windower::new(card.windows, skip);
    let mut block = Vec::new();
    while !observer.cancelled() {
        block.clear();
        match reader.read_block(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Ok(Err(error.into())),
        }
        let passed = (block.len() as u64).min(skip);
        skip -= passed;
        heard += block.len() as u64;
        let (before, after) = block.split_at(passed as usize);
        watcher.remember(before);
        watcher.hear(&mut windower, after, origin, observer)?;
    }
    if heard < needed && !observer.cancelled() {
        let (path, needed_s) = (path.to_owned(), card.windows.seconds(needed));
        return Ok(Err(MonitorError::TooShort { path, length_s, needed_s }));
    }
    Ok(Ok(()))
}

/// Follows a growing file; waits while it is away or not understood, begins anew when it was
/// replaced.
pub(super) fn watch_file(
    monitor: &Monitor,
    request: &WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, MonitorError> {
    let WatchSource::File(path) = &request.source else { return Ok(0) };
    let mut watcher = Watcher::new(monitor, request)?;
    let mut follow = Follow::new(path.clone());
    let mut ears = Some(Ears::of_file(&watcher));
    let mut lost = false;
    let mut block = vec![0; BLOCK_BYTES];
    while !observer.cancelled() {
        match follow.read(&mut block) {
            Ok(Grown::Bytes(read)) => {
                if std::mem::take(&mut lost) {
                    watcher.tell_source(EventKind::Back, "the file is back", observer);
                }
                let Some(listening) = &mut ears else { continue };
                match listening.hear(&mut watcher, &block[..read], observer) {
                    Err(error @ (MonitorError::Audio(_) | MonitorError::StreamRate { .. }))
                        if !request.once =>
                    {
                        let reason = format!("the file cannot be understood: {error}");
                        watcher.tell_source(EventKind::Lost, &reason, observer);
                        ears = None;
                    }
                    Ok(()) => {}
                    damaged => {
                        watcher.end_heard(damaged, observer)?;
                        break;
                    }
                }
                continue;
            }
            Ok(Grown::Replaced) => {
                watcher.position.next_sample = 0;
                watcher.position.beginnings += 1;
                lost |= ears.is_none();
                ears = Some(Ears::of_file(&watcher));
                continue;
            }
            Err(error) if request.once => return Err(MonitorError::io(path)(error)),
            Err(error) if !lost => {
                lost = true;
                let reason = format!("the file cannot be read: {error}");
                watcher.tell_source(EventKind::Lost, &reason, observer);
            }
            Ok(Grown::Nothing) | Err(_) => {}
        }
        watcher.record(observer);
        if request.once {
            let ended = ears.as_mut().map(|ears| ears.finish(&mut watcher, observer));
            watcher.end_heard(ended.unwrap_or(Ok(())), observer)?;
            break;
        }
        wait(request.poll, observer);
    }
    watcher.finish(observer)
}

/// Hears bytes until they end.
pub(super) fn watch_stream(
    monitor: &Monitor,
    mut request: WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, MonitorError> {
    let placeholder = WatchSource::File(PathBuf::new());
    let WatchSource::Stream(mut reader) = std::mem::replace(&mut request.source, placeholder)
    else {
        return Ok(0);
    };
    request.once = true;
    let mut watcher = Watcher::new(monitor, &request)?;
    // What a stream brought before it ended does not come again.
    watcher.position.next_sample = 0;
    let mut ears = Ears::new(&watcher, &unix_ms().to_string());
    let mut block = vec![0; BLOCK_BYTES];
    while !observer.cancelled() {
        match reader.read(&mut block) {
            Ok(0) => {
                let ended = ears.finish(&mut watcher, observer);
                watcher.end_heard(ended, observer)?;
                break;
            }
            Ok(read) => {
                let heard = ears.hear(&mut watcher, &block[..read], observer);
                if heard.is_err() {
                    watcher.end_heard(heard, observer)?;
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                watcher.tell_source(EventKind::Lost, &error.to_string(), observer);
                break;
            }
        }
    }
    watcher.finish(observer)
}

/// Bytes to windows; samples before the position reached earlier are passed over.
struct Ears {
    stream: StreamReader,
    windower: Windower,
    skip: u64,
    samples: Vec<f32>,
    id: String,
}

impl Ears {
    /// `beginning` tells this stretch of the source from earlier ones.
    fn new(watcher: &Watcher<'_>, beginning: &str) -> Self {
        let rule = watcher.monitor.card().windows;
        let from = watcher.position.next_sample;
        let request = watcher.request;
        Self {
            stream: StreamReader::new(
                Path::new(&request.name),
                Some(request.raw),
                &rule.decode_config(),
            ),
            windower: Windower::new(rule, from),
            skip: from,
            samples: Vec::new(),
            id: format!("{}#{beginning}", request.name),
        }
    }

    /// Ears for a file: over restarts it is the same stretch where its position is recorded.
    fn of_file(watcher: &Watcher<'_>) -> Self {
        let recorded = watcher.request.state.is_some();
        let beginning = if recorded { watcher.position.beginnings.into() } else { unix_ms() };
        Self::new(watcher, &beginning.to_string())
    }

    fn hear(
        &mut self,
        watcher: &mut Watcher<'_>,
        bytes: &[u8],
        observer: &mut dyn WatchObserver,
    ) -> Result<(), MonitorError> {
        self.samples.clear();
        let came = self.stream.push(bytes, &mut self.samples);
        self.pass_on(watcher, observer, came)
    }

    /// Hears what rate conversion held back, when no more bytes come.
    fn finish(
        &mut self,
        watcher: &mut Watcher<'_>,
        observer: &mut dyn WatchObserver,
    ) -> Result<(), MonitorError> {
        self.samples.clear();
        let came = self.stream.finish(&mut self.samples);
        self.pass_on(watcher, observer, came)
    }

    /// Hears the samples that came; what went wrong behind them is told afterwards.
    fn pass_on(
        &mut self,
        watcher: &mut Watcher<'_>,
        observer: &mut dyn WatchObserver,
        came: Result<(), AudioError>,
    ) -> Result<(), MonitorError> {
        if let Some(info) = self.stream.info() {
            let known = &watcher.monitor.card().rates_hz;
            if !known.contains(&info.rate_hz) {
                let found = info.rate_hz;
                return Err(MonitorError::StreamRate { found, expected: known.clone() });
            }
        }
        let passed = (self.samples.len() as u64).min(self.skip);
        self.skip -= passed;
        let (before, after) = self.samples.split_at(passed as usize);
        watcher.remember(before);
        let origin = Origin { source: &watcher.request.name, id: self.id.clone() };
        watcher.hear(&mut self.windower, after, &origin, observer)?;
        Ok(came?)
    }
}

/// A file read as it grows.
struct Follow {
    path: PathBuf,
    file: Option<(File, Identity)>,
    read: u64,
}

enum Grown {
    Bytes(usize),
    Nothing,
    Replaced,
}

impl Follow {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, read: 0 }
    }

    fn read(&mut self, block: &mut [u8]) -> io::Result<Grown> {
        let data = match fs::metadata(&self.path) {
            Ok(data) => data,
            Err(error) => {
                self.file = None;
                return Err(error);
            }
        };
        let another = match &self.file {
            Some((_, identity)) => *identity != identity_of(&data),
            None => self.read > 0,
        };
        if data.len() < self.read || another {
            *self = Self::new(self.path.clone());
            return Ok(Grown::Replaced);
        }
        let (file, _) = if let Some(open) = &mut self.file {
            open
        } else {
            let file = File::open(&self.path)?;
            let identity = identity_of(&file.metadata()?);
            self.file.insert((file, identity))
        };
        let read = file.read(block)?;
        self.read += read as u64;
        Ok(if read == 0 { Grown::Nothing } else { Grown::Bytes(read) })
    }
}

/// What tells a file from another under the same name, where the system has it.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity_of(data: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino())
}

#[cfg(not(unix))]
fn identity_of(_data: &fs::Metadata) -> Identity {
    (0, 0)
}

fn unix_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

/// Waits; false when the observer stops the watch.
fn wait(time: Duration, observer: &dyn WatchObserver) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if observer.cancelled() {
            return false;
        }
        std::thread::sleep(NAP.min(time));
    }
    !observer.cancelled()
}
