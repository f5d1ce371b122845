//! What a program says on standard error: passed on line by line, no faster than somebody reads, and the last line kept,
//! which tells why it ended.

use std::{
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Bytes of a line that are kept.
const LONGEST: usize = 300;
/// How long the rest of what was said is waited for; another process may hold the pipe open.
const WITHIN: Duration = Duration::from_millis(300);

/// Lines that are passed on within a minute; the others are counted.
const PER_MINUTE: u32 = 30;
const MINUTE: Duration = Duration::from_mins(1);

/// Passes lines on, so many a minute.
struct Passing {
    since: Instant,
    passed: u32,
    held: u64,
}

/// The last line of a stream of text.
pub(super) struct LastLine {
    line: Arc<Mutex<Vec<u8>>>,
    /// Ends with the stream.
    over: Receiver<()>,
}

impl LastLine {
    /// Follows a stream of a program until it ends.
    pub(super) fn of(mut stream: impl Read + Send + 'static, program: String) -> Self {
        let line: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (ends, over) = sync_channel::<()>(0);
        let kept = Arc::clone(&line);
        thread::spawn(move || {
            let (mut block, mut open) = ([0; 4096], Vec::new());
            let mut passing = Passing { since: Instant::now(), passed: 0, held: 0 };
            while let Ok(read @ 1..) = stream.read(&mut block) {
                for piece in block[..read].split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
                    let ended = matches!(piece.last(), Some(b'\n' | b'\r'));
                    let room = LONGEST.saturating_sub(open.len());
                    open.extend_from_slice(&piece[..piece.len().min(room)]);
                    if !open.trim_ascii().is_empty() {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&open);
                    }
                    if ended {
                        passing.line(&program, &shown(&open));
                        open.clear();
                    }
                }
            }
            passing.line(&program, &shown(&open));
            drop(ends);
        });
        Self { line, over }
    }

    /// The last line that was not empty, once all was said.
    pub(super) fn line(&self) -> Option<String> {
        let _ = self.over.recv_timeout(WITHIN);
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let text = shown(&line);
        (!text.is_empty()).then_some(text)
    }
}

/// A line as it is safe to show.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.trim_ascii());
    text.chars().filter(|c| !c.is_control()).collect()
}

impl Passing {
    fn line(&mut self, program: &str, line: &str) {
        if line.is_empty() {
            return;
        }
        let (passes, held) = self.takes(Instant::now());
        if held > 0 {
            tracing::warn!("`{program}` said {held} more lines than are shown in a minute");
        }
        if passes {
            tracing::info!("`{program}`: {line}");
        }
    }

    /// Whether a line that comes now is passed on, and how many were not before it, told once a minute.
    fn takes(&mut self, now: Instant) -> (bool, u64) {
        let mut told = 0;
        if now.duration_since(self.since) >= MINUTE {
            told = std::mem::take(&mut self.held);
            (self.since, self.passed) = (now, 0);
        }
        let passes = self.passed < PER_MINUTE;
        self.passed += u32::from(passes);
        self.held += u64::from(!passes);
        (passes, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str) -> Option<String> {
        LastLine::of(std::io::Cursor::new(text.as_bytes().to_vec()), "ffmpeg".to_owned()).line()
    }

    #[test]
    fn a_program_that_talks_without_end_fills_no_log() {
        let begun = Instant::now();
        let mut passing = Passing { since: begun, passed: 0, held: 0 };
        let passed = (0..100_000).filter(|_| passing.takes(begun).0).count();
        assert_eq!(passed, PER_MINUTE as usize);
        assert_eq!(passing.takes(begun + MINUTE), (true, 100_000 - u64::from(PER_MINUTE)));
        assert_eq!(passing.takes(begun + MINUTE), (true, 0));
    }

    #[test]
    fn what_is_shown_moves_no_cursor() {
        assert_eq!(shown(b"\x1b[31mred\xff\n"), "[31mred\u{fffd}");
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
