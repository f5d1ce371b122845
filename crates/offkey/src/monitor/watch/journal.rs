//! What must survive a crash: events already told, and where each source stands.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::super::events::EventState;
use crate::{OffkeyError, run_folder};

/// One line of the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Names the event; the same again after a restart, so that a repeated line can be told.
    pub id: String,
    /// `start` or `end`.
    pub event: EventKind,
    /// The source.
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
    pub clip: Option<PathBuf>,
}

/// Which end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// It began.
    Start,
    /// It is over.
    End,
    /// The source was lost.
    Lost,
    /// The source is back.
    Back,
}

/// Where a source stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// First sample of the next window, at the model's rate.
    pub(crate) next_sample: u64,
    /// The event rule's memory.
    pub(crate) events: EventState,
    /// Files of a folder that were heard, with their sizes.
    pub(crate) heard: BTreeSet<(String, u64)>,
}

/// Appends events to a file; keeps those that could not be written and tries again.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: Option<PathBuf>,
    told: BTreeSet<String>,
    pending: VecDeque<Event>,
}

/// Events kept in memory while the disk is full; the oldest go first.
const MOST_PENDING: usize = 1000;
/// Bytes at the log's end that are searched for events already told.
const TAIL_BYTES: u64 = 1 << 16;

impl EventLog {
    /// Opens a log; reads which events its end already has.
    ///
    /// # Errors
    /// [`OffkeyError::Io`] when an existing log cannot be read.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, OffkeyError> {
        let mut told = BTreeSet::new();
        if let Some(path) = path.filter(|path| path.exists()) {
            let mut file = File::open(path).map_err(OffkeyError::io(path))?;
            let length = file.metadata().map_err(OffkeyError::io(path))?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
                .map_err(OffkeyError::io(path))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail).map_err(OffkeyError::io(path))?;
            let tail = String::from_utf8_lossy(&tail);
            told.extend(
                tail.lines().filter_map(|l| Some(serde_json::from_str::<Event>(l).ok()?.id)),
            );
        }
        Ok(Self { path: path.map(Path::to_owned), told, pending: VecDeque::new() })
    }

    /// Takes an event; false when it was told before. What cannot be written now is kept, and the
    /// cause returned.
    pub(crate) fn tell(&mut self, event: &Event) -> (bool, Result<(), OffkeyError>) {
        if !self.told.insert(event.id.clone()) {
            return (false, Ok(()));
        }
        self.pending.push_back(event.clone());
        while self.pending.len() > MOST_PENDING {
            self.pending.pop_front();
        }
        (true, self.flush())
    }

    /// Writes what is pending, down to the disk.
    ///
    /// # Errors
    /// [`OffkeyError::Io`]; the events stay pending.
    pub(crate) fn flush(&mut self) -> Result<(), OffkeyError> {
        let Some(path) = &self.path else {
            self.pending.clear();
            return Ok(());
        };
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        for event in &self.pending {
            lines += &serde_json::to_string(event).map_err(OffkeyError::json(path))?;
            lines.push('\n');
        }
        let append = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(lines.as_bytes())?;
            file.sync_data()
        };
        append().map_err(OffkeyError::io(path))?;
        self.pending.clear();
        Ok(())
    }

    /// Whether every event is on disk.
    pub(crate) fn is_written(&self) -> bool {
        self.pending.is_empty()
    }
}

impl Position {
    /// Reads where a source stood; `None` where there is no record.
    ///
    /// # Errors
    /// [`OffkeyError`] when the record cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, OffkeyError> {
        if path.is_file() { run_folder::read_json(path).map(Some) } else { Ok(None) }
    }

    /// Records where a source stands.
    ///
    /// # Errors
    /// [`OffkeyError`] when it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), OffkeyError> {
        run_folder::write_json(path, self)
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
    fn what_cannot_be_written_is_kept_until_it_can() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("absent").join("events.jsonl");
        let mut log = EventLog::open(Some(&path)).expect("a log to come");
        let (new, written) = log.tell(&event("a"));
        assert!(new && written.is_err() && !log.is_written());
        std::fs::create_dir(folder.path().join("absent")).expect("the folder");
        log.flush().expect("now it can be written");
        assert!(log.is_written());
        assert_eq!(std::fs::read_to_string(&path).expect("the log").lines().count(), 1);
    }
}
