//! Events as lines: appended to a file, or on standard error, where journald takes them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::deliver::{Deliver, Failure};
use crate::store::OutboxRow;
use offkey_core::cause_in_words;

/// Appends to a file.
pub(super) struct Jsonl {
    path: PathBuf,
}

/// Writes to standard error.
pub(super) struct Journal;

/// Bytes at the file's end that are searched for an event that was written already.
const TAIL_BYTES: u64 = 1 << 16;

impl Jsonl {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Appends a whole line or nothing. A line that a crash left unfinished is ended first, and one that is
    /// there already is not written again.
    fn append(&self, row: &OutboxRow) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        let before = file.metadata()?.len();
        let tail = tail(&mut file, before)?;
        if tail.lines().any(|line| line == row.message) {
            return Ok(());
        }
        let begin = if tail.is_empty() || tail.ends_with('\n') { "" } else { "\n" };
        let written = file
            .write_all(format!("{begin}{}\n", row.message).as_bytes())
            .and_then(|()| file.sync_data());
        if written.is_err() {
            // Where even this fails, the next attempt ends the unfinished line.
            let _ = file.set_len(before);
        }
        written
    }
}

fn tail(file: &mut File, length: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Deliver for Jsonl {
    fn deliver(&mut self, message: &OutboxRow) -> Result<(), Failure> {
        self.append(message).map_err(|error| {
            Failure::Later(format!(
                "cannot append to `{}`: {}",
                self.path.display(),
                cause_in_words(&error)
            ))
        })
    }
}

impl Deliver for Journal {
    fn deliver(&mut self, message: &OutboxRow) -> Result<(), Failure> {
        writeln!(io::stderr().lock(), "event {}", message.message)
            .map_err(|error| Failure::Later(format!("cannot write to standard error: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> OutboxRow {
        let message = format!("{{\"id\":\"{id}\"}}");
        OutboxRow { id: id.to_owned(), sink: "file".to_owned(), made_ms: 0, message }
    }

    #[test]
    fn a_line_is_written_once_and_whole() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "{\"id\":\"cut sh").expect("an unfinished line");
        let mut sink = Jsonl::new(&path);
        for id in ["a", "b", "a"] {
            assert_eq!(sink.deliver(&row(id)), Ok(()));
        }
        let text = std::fs::read_to_string(&path).expect("the file");
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["{\"id\":\"a\"}", "{\"id\":\"b\"}"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_tried_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut sink = Jsonl::new(&folder.path().join("absent").join("events.jsonl"));
        assert!(matches!(sink.deliver(&row("a")), Err(Failure::Later(_))));
    }
}
