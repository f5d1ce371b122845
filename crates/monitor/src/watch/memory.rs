//! What a watch remembers over restarts: how far each stretch of sound was judged, and the event that
//! is going on. Kept in a file that is appended to, and rewritten when most of it is outdated.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use offkey_core::{Digest, Lock, counted};
use serde::{Deserialize, Serialize};

use super::mark::Mark;
use crate::{
    EventEvidence, EventState, Monitor, MonitorError, Problem,
    lock::{beside, lock},
};

/// What a watch remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// What the source is called.
    pub(super) source: String,
    bookmarks: Bookmarks,
    /// What was changed since the last record.
    changed: Vec<String>,
    forgotten: Vec<String>,
    pub(super) now: Now,
}

/// How far every stretch was judged, by place.
pub type Bookmarks = BTreeMap<String, Bookmark>;

/// How far a stretch was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bookmark {
    /// Tells the stretch apart from others at its place.
    pub id: String,
    /// First sample of the next window, at the model's rate.
    pub next_sample: u64,
    /// The recording as it was when all of it had been handed over; none while more is to come.
    pub mark: Option<Mark>,
    /// The recording as it was when hearing it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Mark>,
}

impl Bookmark {
    /// By which the recording is recognised, where it can be.
    pub fn recognised_by(&self) -> Option<Mark> {
        self.mark.or(self.begun)
    }
}

/// The most unusual window of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Loudest {
    /// Name of the source, of a folder its recording.
    pub(super) source: String,
    /// Where the window begins, in seconds.
    pub(super) at_s: f64,
    /// What was said of it.
    pub(super) reason: String,
}

/// What goes on now, whatever stretch it began in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Now {
    /// The event rule's memory.
    pub(super) events: EventState,
    /// Name of the event going on.
    pub(super) open_id: String,
    /// Largest score and smallest p-value of it so far.
    pub(super) peak: Option<(f64, f64)>,
    /// Which window that was, and what was said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) loudest: Option<Box<Loudest>>,
    /// Windows in a row that could not be judged, with the cause of the last.
    pub(super) unjudged: usize,
    /// What keeps the source from being judged, where that was told.
    pub(super) problem: Option<Problem>,
    /// Sound that is being kept of the event going on.
    pub(super) clip: Option<KeptClip>,
    /// What was heard over all watches.
    #[serde(default)]
    pub(super) counted: Counted,
}

/// What was heard over all watches of a source, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    /// Fingerprint of the model that judged.
    model: String,
    /// Windows judged.
    pub(super) windows: u64,
    /// Events begun.
    pub(super) events: usize,
}

impl Counted {
    /// Counts from 0 where another model judges: what one does says nothing of another.
    pub(super) fn by(&mut self, model: &str) {
        if self.model != model {
            *self = Self { model: model.to_owned(), windows: 0, events: 0 };
        }
    }

    /// What it says about events per week.
    pub(super) fn evidence(&self, every_s: f64) -> EventEvidence {
        EventEvidence::of(self.windows as f64 * every_s / 3600.0, self.events)
    }
}

/// What the state file of a watch says about events per week, where it was written with this model.
///
/// # Errors
/// [`MonitorError::File`] when the file cannot be read, [`MonitorError::NoState`] when nothing in it is of a watch.
pub fn counted_by(monitor: &Monitor, state: &Path) -> Result<Option<EventEvidence>, MonitorError> {
    let bytes = fs::read(state).map_err(MonitorError::io(state))?;
    let lines: Vec<Line> = bytes.split(|&byte| byte == b'\n').filter_map(read).collect();
    if lines.is_empty() && !bytes.is_empty() {
        return Err(MonitorError::NoState { path: state.to_owned() });
    }
    let mut last = lines.into_iter().filter_map(|line| match line {
        Line::Now(now) => Some(now.counted),
        Line::Source(_) | Line::Stretch { .. } | Line::Gone(_) => None,
    });
    let counted = last.next_back().filter(|counted| counted.model == monitor.fingerprint());
    Ok(counted.map(|counted| counted.evidence(monitor.card().every_s())))
}

/// A clip being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptClip {
    pub(super) path: PathBuf,
    /// The stretch that the last sample kept is of.
    pub(super) stretch: String,
    /// Position of the sample behind it.
    pub(super) next_sample: u64,
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    Source(String),
    Stretch { place: String, bookmark: Bookmark },
    Gone(String),
    Now(Now),
}

impl Now {
    /// Forgets the most unusual window: the event is over, or was none.
    pub(super) fn forget_peak(&mut self) {
        (self.peak, self.loudest) = (None, None);
    }
}

impl Memory {
    /// A source that was never heard.
    pub(super) fn new(source: &str, events: EventState) -> Self {
        Self {
            source: source.to_owned(),
            bookmarks: Bookmarks::new(),
            changed: Vec::new(),
            forgotten: Vec::new(),
            now: Now {
                events,
                open_id: String::new(),
                peak: None,
                loudest: None,
                unjudged: 0,
                problem: None,
                clip: None,
                counted: Counted::default(),
            },
        }
    }

    /// How far every stretch was judged.
    pub fn bookmarks(&self) -> &Bookmarks {
        &self.bookmarks
    }

    pub(super) fn set(&mut self, place: &str, bookmark: Bookmark) {
        if self.bookmarks.get(place) != Some(&bookmark) {
            self.bookmarks.insert(place.to_owned(), bookmark);
            if self.changed.last().is_none_or(|last| last != place) {
                self.changed.push(place.to_owned());
            }
        }
    }

    pub(super) fn forget(&mut self, places: Vec<String>) {
        for place in places {
            if self.bookmarks.remove(&place).is_some() {
                self.forgotten.push(place);
            }
        }
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Source(_) => {}
            Line::Stretch { place, bookmark } => {
                self.bookmarks.insert(place, bookmark);
            }
            Line::Gone(place) => {
                self.bookmarks.remove(&place);
            }
            Line::Now(now) => self.now = now,
        }
    }
}

/// The file that a memory is kept in, locked for this process.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    lines: u64,
    recorded: Option<Now>,
    /// Whether the file holds a whole memory; else it is written anew at the next record.
    whole: bool,
    _lock: Option<Lock>,
}

/// Lines that the file may have beyond twice what it needs before it is rewritten.
const SPARE_LINES: u64 = 1000;

impl Store {
    /// Opens or makes the file at `path`; `memory` becomes what it holds. Returns what is wrong with it
    /// that watching survives: damaged lines, a disk that is full.
    ///
    /// # Errors
    /// [`MonitorError`] when another watch uses it, when it is of another source, or when the file
    /// system refuses.
    pub(super) fn open(
        path: &Path,
        memory: &mut Memory,
    ) -> Result<(Self, Option<String>), MonitorError> {
        let mut told = Vec::new();
        let lock = match lock(path) {
            Ok(lock) => Some(lock),
            Err(error @ MonitorError::Locked { .. }) => return Err(error),
            Err(error) => {
                told.push(format!("nothing keeps a second watch away: {error}"));
                None
            }
        };
        let mut damaged = 0;
        let mut lines = 0;
        let mut bytes = Vec::new();
        match fs::read(path) {
            Ok(read_bytes) => {
                bytes = read_bytes;
                for text in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                    lines += 1;
                    match read(text) {
                        Some(Line::Source(found)) if found != memory.source => {
                            let (path, expected) = (path.to_owned(), memory.source.clone());
                            return Err(MonitorError::OtherSource { path, found, expected });
                        }
                        Some(line) => memory.apply(line),
                        None => damaged += 1,
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(MonitorError::io(path)(error)),
        }
        if damaged == lines && !may_be_ours(&bytes) {
            return Err(MonitorError::NotOurs { path: path.to_owned() });
        }
        if damaged > 0 {
            told.push(format!(
                "damaged and not used: {damaged} of {} of `{}`",
                counted(lines, "line"),
                path.display()
            ));
        }
        let (path, recorded, whole) = (path.to_owned(), None, false);
        let mut store = Self { path, lines, recorded, whole, _lock: lock };
        if let Err(error) = store.rewrite(memory) {
            told.push(format!("the position is not recorded: {error}"));
        }
        Ok((store, (!told.is_empty()).then(|| told.join("; "))))
    }

    /// Writes down what changed.
    pub(super) fn record(&mut self, memory: &mut Memory) -> io::Result<()> {
        let mut text = Vec::new();
        let mut lines = 0;
        let forgotten = memory.forgotten.iter().map(|place| Line::Gone(place.clone()));
        let changed = memory.changed.iter().filter_map(|place| {
            let bookmark = memory.bookmarks.get(place)?.clone();
            Some(Line::Stretch { place: place.clone(), bookmark })
        });
        let now =
            (self.recorded.as_ref() != Some(&memory.now)).then(|| Line::Now(memory.now.clone()));
        for line in forgotten.chain(changed).chain(now) {
            write(&line, &mut text);
            lines += 1;
        }
        if lines == 0 {
            return Ok(());
        }
        let needed = memory.bookmarks.len() as u64 + 2;
        if !self.whole || self.lines + lines > 2 * needed + SPARE_LINES {
            return self.rewrite(memory);
        }
        // A line that a crash or a full disk left unfinished is ended by the line break that comes first.
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let written = file
            .write_all(b"\n")
            .and_then(|()| file.write_all(&text))
            .and_then(|()| file.sync_data());
        if let Err(error) = written {
            let _ = file.set_len(before);
            return Err(error);
        }
        self.lines += lines;
        self.done(memory);
        Ok(())
    }

    /// Writes the whole memory in place of the file. The temporary file's name is always the same, so
    /// that none piles up where a watch is killed.
    fn rewrite(&mut self, memory: &mut Memory) -> io::Result<()> {
        let mut text = Vec::new();
        write(&Line::Source(memory.source.clone()), &mut text);
        for (place, bookmark) in &memory.bookmarks {
            write(&Line::Stretch { place: place.clone(), bookmark: bookmark.clone() }, &mut text);
        }
        write(&Line::Now(memory.now.clone()), &mut text);
        let new = beside(&self.path, ".new");
        let mut file = File::create(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.lines = memory.bookmarks.len() as u64 + 2;
        self.whole = true;
        self.done(memory);
        Ok(())
    }

    fn done(&mut self, memory: &mut Memory) {
        memory.changed.clear();
        memory.forgotten.clear();
        self.recorded = Some(memory.now.clone());
    }
}

/// A line: eight hexadecimal digits of a checksum, a space, JSON.
fn write(line: &Line, text: &mut Vec<u8>) {
    let json = serde_json::to_vec(line).expect("a line has string keys and finite numbers");
    text.extend(checksum(&json).as_bytes());
    text.push(b' ');
    text.extend(json);
    text.push(b'\n');
}

fn read(text: &[u8]) -> Option<Line> {
    let (sum, json) = text.split_at_checked(9)?;
    (sum == format!("{} ", checksum(json)).as_bytes()).then_some(())?;
    serde_json::from_slice(json).ok()
}

/// Whether a file of which no line can be read may be a memory that was cut: it begins as a line does, or has nothing
/// but the zeros that a power cut leaves.
fn may_be_ours(bytes: &[u8]) -> bool {
    let begins = bytes.iter().take(8).all(u8::is_ascii_hexdigit);
    let is_empty = bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace());
    is_empty || (begins && bytes.get(8).is_none_or(|byte| *byte == b' '))
}

fn checksum(json: &[u8]) -> String {
    Digest::of(json).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventRule;

    fn memory() -> Memory {
        Memory::new("line", EventState::new(EventRule::default()))
    }

    fn bookmark(next_sample: u64) -> Bookmark {
        Bookmark { id: "line#1".to_owned(), next_sample, mark: None, begun: None }
    }

    fn opened(path: &Path) -> (Memory, Store, Option<String>) {
        let mut read = memory();
        let (store, told) = Store::open(path, &mut read).expect("a store");
        (read, store, told)
    }

    #[test]
    fn what_was_recorded_is_read_again_and_only_changes_are_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let (mut memory, mut store, _) = opened(&path);
        for file in 0..400 {
            memory.set(&format!("{file}.wav"), bookmark(file));
            store.record(&mut memory).expect("room");
        }
        let bytes = fs::metadata(&path).expect("the file").len();
        memory.set("0.wav", bookmark(7));
        store.record(&mut memory).expect("room");
        let grown = fs::metadata(&path).expect("the file").len() - bytes;
        assert!(grown < 200, "{grown} bytes for one change");
        drop(store);
        let (read, _, told) = opened(&path);
        assert_eq!((read, told), (memory, None));
    }

    #[test]
    fn a_cut_or_forged_line_is_passed_over_and_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let (mut memory, mut store, _) = opened(&path);
        memory.set("a.wav", bookmark(5));
        store.record(&mut memory).expect("room");
        drop(store);
        let whole = fs::read(&path).expect("the file");
        let forged = String::from_utf8_lossy(&whole)
            .replace("\"next_sample\":5", "\"next_sample\":18446744073709551615");
        let kept = |content: &[u8]| {
            fs::write(&path, content).expect("the file");
            let (read, _, told) = opened(&path);
            (read.bookmarks().get("a.wav").map(|bookmark| bookmark.next_sample), told.is_some())
        };
        assert_eq!(kept(&whole), (Some(5), false));
        assert_eq!(kept(forged.as_bytes()), (None, true));
        for cut in 0..whole.len() {
            let (next_sample, _) = kept(&whole[..cut]);
            assert!(matches!(next_sample, None | Some(5)), "cut at {cut}: {next_sample:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_record_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        for content in [&b"RIFF\x10\0\0\0WAVE"[..], b"{\"a\": 1}\n", b"\x40\0\0\0\0\0\0\0{}"] {
            fs::write(&path, content).expect("room");
            let refused = Store::open(&path, &mut memory()).map(|_| ());
            assert!(matches!(refused, Err(MonitorError::NotOurs { .. })), "{refused:?}");
            assert_eq!(fs::read(&path).expect("a file"), content);
        }
        fs::write(&path, [0; 300]).expect("room");
        assert!(Store::open(&path, &mut memory()).is_ok(), "what a power cut leaves");
    }

    #[test]
    fn two_watches_do_not_share_a_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let (_, store, _) = opened(&path);
        let second = Store::open(&path, &mut memory());
        assert!(matches!(second, Err(MonitorError::Locked { .. })));
        drop(store);
        assert!(Store::open(&path, &mut memory()).is_ok());
    }

    #[test]
    fn a_record_that_is_appended_to_for_years_stays_small() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let (mut memory, mut store, _) = opened(&path);
        for day in 0..5000 {
            memory.set("line.wav", bookmark(day));
            store.record(&mut memory).expect("room");
        }
        let bytes = fs::metadata(&path).expect("the file").len();
        assert!(bytes < 300_000, "{bytes}");
    }
}
