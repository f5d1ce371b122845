//! The three kinds of source: a folder, a growing file, a stream of bytes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use offkey_signal::ClipReader;

use super::{
    WatchObserver, WatchRequest, WatchSource,
    journal::EventKind,
    pcm::{PcmStream, StreamError},
    watcher::Watcher,
};
use crate::{
    OffkeyError,
    monitor::{model::Monitor, windows::Windower},
};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 15;
/// Naps while waiting, so that a stop is noticed soon.
const NAP: Duration = Duration::from_millis(50);

/// Hears each recording of a folder once, when its size has not changed between two looks.
pub(super) fn watch_folder(
    monitor: &Monitor,
    request: &WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, OffkeyError> {
    let WatchSource::Folder(folder) = &request.source else { return Ok(0) };
    let mut watcher = Watcher::new(monitor, request)?;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut lost = false;
    loop {
        match recordings(folder) {
            Ok(now) => {
                if std::mem::take(&mut lost) {
                    watcher.tell_source(EventKind::Back, "the folder is back", observer);
                }
                let settled =
                    |name: &String, size: u64| request.once || seen.get(name) == Some(&size);
                let due: Vec<(String, u64)> = now
                    .iter()
                    .filter(|(name, size)| settled(name, **size))
                    .map(|(name, size)| (name.clone(), *size))
                    .filter(|key| !watcher.position.heard.contains(key))
                    .collect();
                for key in due {
                    hear_recording(&mut watcher, &folder.join(&key.0), &key.0, observer)?;
                    watcher.position.heard.insert(key);
                    watcher.record(observer);
                    if observer.cancelled() {
                        return Ok(watcher.begun);
                    }
                }
                watcher.position.heard.retain(|(name, _)| now.contains_key(name));
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
            return Ok(watcher.begun);
        }
    }
}

/// Names and sizes of the recordings of a folder.
fn recordings(folder: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !["wav", "flac"].contains(&extension.to_ascii_lowercase().as_str()) {
            continue;
        }
        // A file may be gone between listing and asking.
        let (Some(name), Ok(data)) = (path.file_name(), fs::metadata(&path)) else { continue };
        found.insert(name.to_string_lossy().into_owned(), data.len());
    }
    Ok(found)
}

fn hear_recording(
    watcher: &mut Watcher<'_>,
    path: &Path,
    name: &str,
    observer: &mut dyn WatchObserver,
) -> Result<(), OffkeyError> {
    let rule = watcher.monitor.card().windows;
    let mut windower = Windower::new(rule, 0);
    let mut reader = match ClipReader::open(path, &rule.decode_config()) {
        Ok(reader) => reader,
        Err(error) => {
            observer.trouble(&format!("left out: {error}"));
            return Ok(());
        }
    };
    let mut block = Vec::new();
    loop {
        block.clear();
        match reader.read_block(&mut block) {
            Ok(true) => watcher.hear(&mut windower, &block, name, observer)?,
            Ok(false) => return Ok(()),
            Err(error) => {
                observer.trouble(&format!("the rest is left out: {error}"));
                return Ok(());
            }
        }
    }
}

/// Follows a growing file; waits while it is away, begins anew when it was replaced.
pub(super) fn watch_file(
    monitor: &Monitor,
    request: &WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, OffkeyError> {
    let WatchSource::File(path) = &request.source else { return Ok(0) };
    let mut watcher = Watcher::new(monitor, request)?;
    let mut follow = Follow::new(path.clone());
    let mut ears = Ears::new(monitor, request, watcher.position.next_sample);
    let mut lost = false;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match follow.read(&mut block) {
            Ok(Grown::Bytes(read)) => {
                if std::mem::take(&mut lost) {
                    watcher.tell_source(EventKind::Back, "the file is back", observer);
                }
                ears.hear(&mut watcher, &block[..read], observer)?;
                if observer.cancelled() {
                    break;
                }
                continue;
            }
            Ok(Grown::Replaced) => {
                watcher.position.next_sample = 0;
                ears = Ears::new(monitor, request, 0);
                continue;
            }
            Err(error) if !lost => {
                lost = true;
                let reason = format!("the file cannot be read: {error}");
                watcher.tell_source(EventKind::Lost, &reason, observer);
            }
            Ok(Grown::Nothing) | Err(_) => {}
        }
        watcher.record(observer);
        if request.once || !wait(request.poll, observer) {
            break;
        }
    }
    watcher.record(observer);
    Ok(watcher.begun)
}

/// Hears bytes until they end.
pub(super) fn watch_stream(
    monitor: &Monitor,
    mut request: WatchRequest,
    observer: &mut dyn WatchObserver,
) -> Result<usize, OffkeyError> {
    let placeholder = WatchSource::File(PathBuf::new());
    let WatchSource::Stream(mut reader) = std::mem::replace(&mut request.source, placeholder)
    else {
        return Ok(0);
    };
    let mut watcher = Watcher::new(monitor, &request)?;
    watcher.position.next_sample = 0;
    let mut ears = Ears::new(monitor, &request, 0);
    let mut block = vec![0; BLOCK_BYTES];
    while !observer.cancelled() {
        match reader.read(&mut block) {
            Ok(0) => break,
            Ok(read) => ears.hear(&mut watcher, &block[..read], observer)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                watcher.tell_source(EventKind::Lost, &error.to_string(), observer);
                break;
            }
        }
    }
    watcher.record(observer);
    Ok(watcher.begun)
}

/// Bytes to windows; samples before the position reached earlier are passed over.
struct Ears {
    stream: PcmStream,
    windower: Windower,
    skip: u64,
    samples: Vec<f32>,
}

impl Ears {
    fn new(monitor: &Monitor, request: &WatchRequest, from: u64) -> Self {
        let rule = monitor.card().windows;
        Self {
            stream: PcmStream::new(request.raw, rule.channel, rule.rate_hz),
            windower: Windower::new(rule, from),
            skip: from,
            samples: Vec::new(),
        }
    }

    fn hear(
        &mut self,
        watcher: &mut Watcher<'_>,
        bytes: &[u8],
        observer: &mut dyn WatchObserver,
    ) -> Result<(), OffkeyError> {
        self.samples.clear();
        self.stream.push(bytes, &mut self.samples)?;
        if let Some(format) = self.stream.format() {
            let known = &watcher.monitor.card().rates_hz;
            if !known.contains(&format.rate_hz) {
                let found = format.rate_hz;
                return Err(OffkeyError::StreamRate { found, expected: known.clone() });
            }
        }
        let passed = (self.samples.len() as u64).min(self.skip);
        self.skip -= passed;
        let name = watcher.request.name.clone();
        watcher.hear(&mut self.windower, &self.samples[passed as usize..], &name, observer)
    }
}

/// A file read as it grows.
struct Follow {
    path: PathBuf,
    file: Option<File>,
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
        let size = match fs::metadata(&self.path) {
            Ok(data) => data.len(),
            Err(error) => {
                self.file = None;
                return Err(error);
            }
        };
        let away = self.file.is_none() && self.read > 0;
        if size < self.read || away {
            *self = Self::new(self.path.clone());
            return Ok(Grown::Replaced);
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.path)?),
        };
        let read = file.read(block)?;
        self.read += read as u64;
        Ok(if read == 0 { Grown::Nothing } else { Grown::Bytes(read) })
    }
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

impl From<StreamError> for OffkeyError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}
