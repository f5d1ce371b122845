//! What must survive a crash: events already told, and where each source stands.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use offkey_core::write_whole;
use serde::{Deserialize, Serialize};

use crate::{EventRule, EventState, MonitorError};

/// One line of the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Names the event; the same again after a restart, so that a repeated line can be told.
    pub id: String,
    /// What happened.
    pub event: EventKind,
    /// The source; of a folder, the recording in it.
    pub source: String,
    /// Position in the source's own time, in seconds.
    pub at_s: f64,
    /// Seconds since 1970 when it was noticed.
    pub unix_s: f64,
    /// Largest anomaly score so far.
    pub peak_score: Option<f64>,
    /// Smallest p-value so far.
    pub p_value: Option<f64>,
    /// Why, in a sentence.
    pub reason: String,
    /// Sound kept of it.
    #[serde(default, with = "offkey_core::paths::option")]
    pub clip: Option<PathBuf>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A lasting change began.
    Start,
    /// It is over.
    End,
    /// The source was lost, or nothing can be told from it: nobody listens to the machine.
    Lost,
    /// The source is back.
    Back,
}

/// Where a source stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// The source.
    pub(crate) source: String,
    /// How often the source has begun anew: tells its events apart from those before.
    pub(crate) beginnings: u64,
    /// First sample of the next window, at the model's rate.
    pub(crate) next_sample: u64,
    /// The event rule's memory.
    pub(crate) events: EventState,
    /// Name of the event going on.
    pub(crate) open_id: String,
    /// Largest score and smallest p-value of it so far.
    pub(crate) peak: Option<(f64, f64)>,
    /// Windows in a row of which nothing could be told.
    pub(crate) untold: usize,
    /// Recordings of a folder that were heard.
    pub(crate) heard: BTreeSet<Recording>,
    /// The recording of a folder that is being heard.
    pub(crate) hearing: Option<Recording>,
}

/// A recording in a folder: another one under the same name is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// When it was last written, as the file system says, in milliseconds since 1970.
    pub(crate) modified_ms: u64,
}

/// Appends events to a file; keeps those that could not be written and tries again.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: Option<PathBuf>,
    told: VecDeque<String>,
    pending: VecDeque<Event>,
}

/// Events kept in memory while the disk is full; the oldest go first.
const MOST_PENDING: usize = 1000;
/// Bytes at the log's end that are searched for events already told. Only those since the last record
/// of the source's position can come again, a handful.
const TAIL_BYTES: u64 = 1 << 16;
/// Names of events told that are remembered.
const MOST_TOLD: usize = 1000;

impl EventLog {
    /// Opens a log; reads which events its end already has.
    ///
    /// # Errors
    /// [`MonitorError::Io`] when an existing log cannot be read.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, MonitorError> {
        let mut told = VecDeque::new();
        // Only a regular file has an end to look at.
        if let Some(path) = path.filter(|path| path.is_file()) {
            let mut file = File::open(path).map_err(MonitorError::io(path))?;
            let length = file.metadata().map_err(MonitorError::io(path))?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
                .map_err(MonitorError::io(path))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail).map_err(MonitorError::io(path))?;
            let tail = String::from_utf8_lossy(&tail);
            told.extend(
                tail.lines().filter_map(|l| Some(serde_json::from_str::<Event>(l).ok()?.id)),
            );
        }
        Ok(Self { path: path.map(Path::to_owned), told, pending: VecDeque::new() })
    }

    /// Takes an event; false when it was told before. What cannot be written now is kept, and the
    /// cause returned.
    pub(crate) fn tell(&mut self, event: &Event) -> (bool, Result<(), MonitorError>) {
        if self.told.contains(&event.id) {
            return (false, Ok(()));
        }
        self.told.push_back(event.id.clone());
        if self.told.len() > MOST_TOLD {
            self.told.pop_front();
        }
        self.pending.push_back(event.clone());
        if self.pending.len() > MOST_PENDING {
            self.pending.pop_front();
        }
        (true, self.flush())
    }

    /// Writes what is pending, down to the disk.
    ///
    /// # Errors
    /// [`MonitorError::Io`]; the events stay pending, and the log ends with a whole line.
    pub(crate) fn flush(&mut self) -> Result<(), MonitorError> {
        let Some(path) = &self.path else {
            self.pending.clear();
            return Ok(());
        };
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        for event in &self.pending {
            lines += &serde_json::to_string(event).map_err(MonitorError::json(path))?;
            lines.push('\n');
        }
        append(path, &lines).map_err(MonitorError::io(path))?;
        self.pending.clear();
        Ok(())
    }

    /// Events that are not on disk yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }
}

/// Appends whole lines or nothing. A line that a crash left unfinished is ended first.
fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let begin = if last == [b'\n'] { "" } else { "\n" };
    let written = file
        .write_all(begin.as_bytes())
        .and_then(|()| file.write_all(lines.as_bytes()))
        .and_then(|()| file.sync_data());
    if written.is_err() {
        // Where even this fails, the next attempt ends the unfinished line.
        let _ = file.set_len(before);
    }
    written
}

impl Position {
    /// A source that was never heard.
    pub(crate) fn new(source: &str, rule: EventRule) -> Self {
        Self {
            source: source.to_owned(),
            beginnings: 0,
            next_sample: 0,
            events: EventState::new(rule),
            open_id: String::new(),
            peak: None,
            untold: 0,
            heard: BTreeSet::new(),
            hearing: None,
        }
    }

    /// Reads where a source stood; `None` where there is no record.
    ///
    /// # Errors
    /// [`MonitorError`] when the record cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, MonitorError> {
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read(path).map_err(MonitorError::io(path))?;
        serde_json::from_slice(&text).map(Some).map_err(MonitorError::json(path))
    }

    /// Records where a source stands.
    ///
    /// # Errors
    /// [`MonitorError`] when it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), MonitorError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(MonitorError::json(path))?;
        text.push(b'\n');
        write_whole(path, &text).map_err(MonitorError::io(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> Event {
        Event {
            id: id.to_owned(),
            event: EventKind::Start,
            source: "pump".to_owned(),
            at_s: 1.0,
            unix_s: 2.0,
            peak_score: Some(0.5),
            p_value: Some(0.01),
            reason: "louder".to_owned(),
            clip: None,
        }
    }

    #[test]
    fn an_event_is_told_once_even_over_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.jsonl");
        let mut log = EventLog::open(Some(&path)).expect("a new log");
        assert!(log.tell(&event("a")).0);
        assert!(!log.tell(&event("a")).0);
        let mut again = EventLog::open(Some(&path)).expect("an existing log");
        assert!(!again.tell(&event("a")).0);
        assert!(again.tell(&event("b")).0);
        let text = std::fs::read_to_string(&path).expect("the log");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_line_that_a_crash_left_unfinished_spoils_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"id\":\"cut sh").expect("an unfinished line");
        let mut log = EventLog::open(Some(&path)).expect("an existing log");
        assert!(log.tell(&event("a")).0);
        let text = std::fs::read_to_string(&path).expect("the log");
        let last: Event = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(last.id, "a");
    }

    #[test]
    fn the_memory_of_a_log_is_bounded() {
        let mut log = EventLog::open(None).expect("no log");
        for index in 0..3 * MOST_TOLD {
            assert!(log.tell(&event(&index.to_string())).0);
        }
        assert_eq!((log.told.len(), log.pending.len()), (MOST_TOLD, 0));
    }

    #[test]
    fn what_cannot_be_written_is_kept_until_it_can() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("absent").join("events.jsonl");
        let mut log = EventLog::open(Some(&path)).expect("a log to come");
        let (new, written) = log.tell(&event("a"));
        assert!(new && written.is_err() && log.pending() == 1);
        std::fs::create_dir(folder.path().join("absent")).expect("the folder");
        log.flush().expect("now it can be written");
        assert_eq!(log.pending(), 0);
        assert_eq!(std::fs::read_to_string(&path).expect("the log").lines().count(), 1);
    }
}
