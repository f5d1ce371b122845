//! Where events go, and the promise that each gets there once: nothing lost, nothing repeated,
//! whatever the sink.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::event::Event;
use crate::MonitorError;

/// Takes events for good.
pub trait Sink: Send {
    /// Takes all of these events or none, and returns when they are safe.
    ///
    /// # Errors
    /// Whatever keeps them from being taken; they are offered again later.
    fn deliver(&mut self, events: &[Event]) -> io::Result<()>;
}

/// Hands events to a sink. Keeps those it does not take and tries again; passes over those it has.
pub struct Outbox {
    sink: Option<Box<dyn Sink>>,
    told: VecDeque<String>,
    pending: VecDeque<Event>,
}

/// Events kept in memory while the sink takes none; the oldest go first.
const MOST_PENDING: usize = 1000;
/// Names of events delivered that are remembered.
const MOST_TOLD: usize = 1000;

impl Outbox {
    /// An outbox for a sink, where there is one. `told` names the events that it has already.
    pub fn new(sink: Option<Box<dyn Sink>>, told: Vec<String>) -> Self {
        Self { sink, told: told.into(), pending: VecDeque::new() }
    }

    /// Takes an event; false when it was told before. What the sink does not take now is kept, and the
    /// cause returned.
    pub fn tell(&mut self, event: &Event) -> (bool, io::Result<()>) {
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

    /// Offers the sink what is pending.
    ///
    /// # Errors
    /// The sink's; the events stay pending.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(sink) = &mut self.sink
            && !self.pending.is_empty()
        {
            sink.deliver(self.pending.make_contiguous())?;
        }
        self.pending.clear();
        Ok(())
    }

    /// Events that the sink has not taken yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

/// A file to which events are appended, one JSON object per line.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
}

/// Bytes at the log's end that are searched for events already told. Only those since the last record
/// of the source's position can come again, a handful.
const TAIL_BYTES: u64 = 1 << 16;

impl LogFile {
    /// A log, and the names of the events that its end has already.
    ///
    /// # Errors
    /// [`MonitorError::File`] when an existing log cannot be read, or is a folder.
    pub fn open(path: &Path) -> Result<(Self, Vec<String>), MonitorError> {
        if path.is_dir() {
            return Err(MonitorError::io(path)(io::ErrorKind::IsADirectory.into()));
        }
        let mut told = Vec::new();
        // Only a regular file has an end to look at.
        if path.is_file() {
            let mut begin = Vec::new();
            let read = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut begin));
            read.map_err(MonitorError::io(path))?;
            // A line of ours begins with a brace; zeros are what a power cut leaves.
            let first = begin.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0);
            if first.is_some_and(|first| *first != b'{') {
                return Err(MonitorError::NotOurs { path: path.to_owned() });
            }
            let tail = tail(path).map_err(MonitorError::io(path))?;
            let tail = String::from_utf8_lossy(&tail);
            told.extend(
                tail.lines().filter_map(|l| Some(serde_json::from_str::<Event>(l).ok()?.id)),
            );
        }
        Ok((Self { path: path.to_owned() }, told))
    }
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(tail)
}

impl Sink for LogFile {
    /// Appends whole lines or nothing, down to the disk. A line that a crash left unfinished is ended
    /// first.
    fn deliver(&mut self, events: &[Event]) -> io::Result<()> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event)?;
            lines.push(b'\n');
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let mut last = [b'\n'];
        if before > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let begin: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
        let written = file
            .write_all(begin)
            .and_then(|()| file.write_all(&lines))
            .and_then(|()| file.sync_data());
        if written.is_err() {
            // Where even this fails, the next attempt ends the unfinished line.
            let _ = file.set_len(before);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::event::tests::event, *};

    fn outbox(path: &Path) -> Outbox {
        let (log, told) = LogFile::open(path).expect("a log");
        Outbox::new(Some(Box::new(log)), told)
    }

    #[test]
    fn a_file_that_is_no_log_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("clip.wav");
        std::fs::write(&path, b"RIFF....WAVE").expect("room");
        assert!(matches!(LogFile::open(&path), Err(MonitorError::NotOurs { .. })));
        assert_eq!(std::fs::read(&path).expect("a file"), b"RIFF....WAVE");
    }

    #[test]
    fn an_event_is_told_once_even_over_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.jsonl");
        let mut log = outbox(&path);
        assert!(log.tell(&event("a")).0);
        assert!(!log.tell(&event("a")).0);
        let mut again = outbox(&path);
        assert!(!again.tell(&event("a")).0);
        assert!(again.tell(&event("b")).0);
        let text = fs::read_to_string(&path).expect("the log");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_line_that_a_crash_left_unfinished_spoils_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.jsonl");
        fs::write(&path, "{\"id\":\"cut sh").expect("an unfinished line");
        let mut log = outbox(&path);
        assert!(log.tell(&event("a")).0);
        let text = fs::read_to_string(&path).expect("the log");
        let last: Event = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(last.id, "a");
    }

    #[test]
    fn the_memory_of_an_outbox_is_bounded() {
        let mut log = Outbox::new(None, Vec::new());
        for index in 0..3 * MOST_TOLD {
            assert!(log.tell(&event(&index.to_string())).0);
        }
        assert_eq!((log.told.len(), log.pending.len()), (MOST_TOLD, 0));
    }

    #[test]
    fn what_cannot_be_delivered_is_kept_until_it_can() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("absent").join("events.jsonl");
        let mut log = outbox(&path);
        let (new, written) = log.tell(&event("a"));
        assert!(new && written.is_err() && log.pending() == 1);
        fs::create_dir(folder.path().join("absent")).expect("the folder");
        log.flush().expect("now it can be written");
        assert_eq!(log.pending(), 0);
        assert_eq!(fs::read_to_string(&path).expect("the log").lines().count(), 1);
    }
}
