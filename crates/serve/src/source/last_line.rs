//! What a program said last on standard error: the line that tells why it ended.

use std::{
    io::{Read, Write},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Duration,
};

/// Bytes of a line that are kept.
const LONGEST: usize = 300;
/// How long the rest of what was said is waited for; another process may hold the pipe open.
const WITHIN: Duration = Duration::from_millis(300);

/// The last line of a stream of text that is passed on to our own standard error.
pub(super) struct LastLine {
    line: Arc<Mutex<Vec<u8>>>,
    /// Ends with the stream.
    over: Receiver<()>,
}

impl LastLine {
    /// Follows a stream until it ends.
    pub(super) fn of(mut stream: impl Read + Send + 'static) -> Self {
        let line: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (ends, over) = sync_channel::<()>(0);
        let kept = Arc::clone(&line);
        thread::spawn(move || {
            let (mut block, mut open) = ([0; 4096], Vec::new());
            while let Ok(read @ 1..) = stream.read(&mut block) {
                let said = &block[..read];
                // A closed standard error must not stop the program.
                let _ = std::io::stderr().lock().write_all(said);
                for piece in said.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
                    let ended = matches!(piece.last(), Some(b'\n' | b'\r'));
                    let room = LONGEST.saturating_sub(open.len());
                    open.extend_from_slice(&piece[..piece.len().min(room)]);
                    if !open.trim_ascii().is_empty() {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&open);
                    }
                    if ended {
                        open.clear();
                    }
                }
            }
            drop(ends);
        });
        Self { line, over }
    }

    /// The last line that was not empty, once all was said.
    pub(super) fn line(&self) -> Option<String> {
        let _ = self.over.recv_timeout(WITHIN);
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str) -> Option<String> {
        LastLine::of(std::io::Cursor::new(text.as_bytes().to_vec())).line()
    }

    #[test]
    fn the_last_line_with_words_is_kept() {
        assert_eq!(last("first\nConnection refused\n\n").as_deref(), Some("Connection refused"));
        assert_eq!(last("size= 1kB\rsize= 2kB\r").as_deref(), Some("size= 2kB"));
        assert_eq!(last("cut off").as_deref(), Some("cut off"));
        assert_eq!(last("\n \n"), None);
        let long = "x".repeat(100_000);
        assert_eq!(last(&long).map(|line| line.len()), Some(LONGEST));
    }
}
