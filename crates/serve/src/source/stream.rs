//! Bytes that come from elsewhere: the standard output of a command, a microphone. When they end, that is
//! a fault whatever the exit code, and the stream is opened again after a while.

use std::{
    io::{self, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use offkey_core::{cause_in_words, with_causes};
use offkey_monitor::{
    Listening, Problem,
    watch::{Bookmarks, Piece, Source, Stretch, blocks, open_microphone},
};
use offkey_signal::{PcmFormat, StreamReader};

use super::{last_line::LastLine, usual_form};

/// A stream just opened.
pub struct Opened {
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
    /// Form of raw samples.
    pub raw: PcmFormat,
    /// The process behind it, to be ended with it.
    pub child: Option<Process>,
}

/// A process whose standard output is heard.
pub struct Process {
    child: Child,
    /// Its program, as configured.
    program: String,
    said: LastLine,
}

/// Opens the stream, now and again; the error is told as it is.
pub type Opener = Box<dyn FnMut(&[u32]) -> Result<Opened, String> + Send>;

/// A stream of bytes, opened again when it ends.
pub struct StreamSource {
    open: Opener,
    listening: Listening,
    running: Option<Running>,
    /// Ends the wait before the next attempt.
    again: Option<Instant>,
    back_off: Duration,
    /// The rate that the stream was last found to have.
    rate_hz: Option<u32>,
    /// Sound of which something is told first.
    ready: Option<Vec<f32>>,
}

struct Running {
    blocks: Receiver<io::Result<Vec<u8>>>,
    child: Option<Process>,
    reader: StreamReader,
    /// Why nothing more is heard of it; told once what came before was heard.
    over: Option<String>,
    since: Instant,
    checked: bool,
}

/// Blocks that wait to be heard; a source that is faster waits.
const MOST_BLOCKS: usize = 8;
const LEAST_BACK_OFF: Duration = Duration::from_secs(1);
const MOST_BACK_OFF: Duration = Duration::from_mins(1);
/// A stream that lasted so long was not a failed attempt.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

/// Opens a command's standard output.
pub fn command_opener(run: Vec<String>, raw: PcmFormat) -> Opener {
    Box::new(move |_| {
        let (program, arguments) = run.split_first().ok_or("no program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("`{program}` cannot be started: {}", cause_in_words(&error))
            })?;
        let bytes = child.stdout.take().ok_or("no standard output")?;
        let said = LastLine::of(child.stderr.take().ok_or("no standard error")?, program.clone());
        let child = Process { child, program: program.clone(), said };
        Ok(Opened { bytes: Box::new(bytes), raw, child: Some(child) })
    })
}

/// Opens a microphone of this computer; without a name the system's.
pub fn microphone_opener(name: Option<String>) -> Opener {
    Box::new(move |rates_hz| {
        let (bytes, raw) =
            open_microphone(name.as_deref(), rates_hz).map_err(|error| with_causes(&error))?;
        Ok(Opened { bytes, raw, child: None })
    })
}

impl Process {
    /// Ends it: why it is over, with the program's name, its exit status and the last line it said.
    fn end(&mut self, why: &str) -> String {
        let _ = self.child.kill();
        let status = self.child.wait();
        let mut told = format!("`{}`: {why}", self.program);
        if let Ok(status) = status {
            told += &format!(" ({status})");
        }
        if let Some(line) = self.said.line() {
            told += &format!("; it said last: {line}");
        }
        told
    }
}

impl StreamSource {
    /// A stream.
    pub fn new(open: Opener) -> Self {
        Self {
            open,
            listening: Listening::of_any(usual_form(None)),
            running: None,
            again: None,
            back_off: LEAST_BACK_OFF,
            rate_hz: None,
            ready: None,
        }
    }

    fn start(&mut self) -> Result<(), String> {
        let Opened { bytes, raw, child } = (self.open)(&self.listening.rates_hz)?;
        let blocks = blocks(bytes, MOST_BLOCKS);
        let config = self.listening.windows.decode_config();
        let reader = StreamReader::new(Path::new("stream"), Some(raw), &config);
        self.running = Some(Running {
            blocks,
            child,
            reader,
            over: None,
            since: Instant::now(),
            checked: false,
        });
        Ok(())
    }

    /// The stream is over: what became of it, and when it is tried again.
    fn stop(&mut self, why: Option<String>) -> String {
        let mut told = why.unwrap_or_else(|| "the stream ended".to_owned());
        if let Some(mut running) = self.running.take() {
            if running.since.elapsed() >= LONG_ENOUGH {
                self.back_off = LEAST_BACK_OFF;
            }
            if let Some(process) = &mut running.child {
                told = process.end(&told);
            }
        }
        self.again = Some(Instant::now() + self.back_off);
        told += &format!("; tried again in {} s", self.back_off.as_secs());
        self.back_off = (2 * self.back_off).min(MOST_BACK_OFF);
        told
    }

    /// Nothing more is heard of the stream for now.
    fn lost(&mut self, why: Option<String>) -> Piece {
        Piece::Lost { problem: Problem::Ended, reason: self.stop(why) }
    }

    fn push(&mut self, bytes: &[u8]) -> Piece {
        let Some(running) = &mut self.running else { return Piece::Nothing };
        let mut samples = Vec::new();
        if let Err(error) = running.reader.push(bytes, &mut samples) {
            running.over = Some(with_causes(&error));
        }
        if let Some(found) = running.reader.info().filter(|_| !running.checked) {
            running.checked = true;
            self.rate_hz = Some(found.rate_hz);
            if let Some(why) = self.listening.refusal(found.rate_hz) {
                return self.lost(Some(why));
            }
            if let Some(how) = self.listening.difference(&found) {
                self.ready = Some(samples).filter(|samples| !samples.is_empty());
                return Piece::Differs(how);
            }
        }
        if samples.is_empty() { Piece::Nothing } else { Piece::Sound(samples) }
    }

    /// The bytes are over: what the decoder kept back is heard before that is told.
    fn finish(&mut self, why: &str) -> Piece {
        let Some(running) = &mut self.running else { return Piece::Nothing };
        let mut samples = Vec::new();
        let finished = running.reader.finish(&mut samples);
        let why = finished.err().map_or_else(|| why.to_owned(), |error| with_causes(&error));
        running.over = Some(why);
        if samples.is_empty() { Piece::Nothing } else { Piece::Sound(samples) }
    }
}

impl Source for StreamSource {
    fn next(&mut self, _: &Bookmarks, wait: Duration) -> Piece {
        let Some(running) = &mut self.running else {
            let left = self.again.map(|again| again.saturating_duration_since(Instant::now()));
            if let Some(left) = left.filter(|left| !left.is_zero()) {
                thread::sleep(left.min(wait));
                return Piece::Nothing;
            }
            // What a stream was cannot be heard again: it has no place.
            let stretch = Stretch {
                place: String::new(),
                id: String::new(),
                name: String::new(),
                begun: None,
            };
            return match self.start() {
                Ok(()) => Piece::Begin { stretch, first_sample: 0 },
                Err(why) => self.lost(Some(why)),
            };
        };
        if let Some(samples) = self.ready.take() {
            return Piece::Sound(samples);
        }
        if let Some(why) = running.over.take() {
            return self.lost(Some(why));
        }
        match running.blocks.recv_timeout(wait) {
            Ok(Ok(bytes)) if !bytes.is_empty() => self.push(&bytes),
            Ok(Err(error)) => self.finish(&cause_in_words(&error)),
            Err(RecvTimeoutError::Timeout) => Piece::Nothing,
            Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => self.finish("the stream ended"),
        }
    }

    fn listen(&mut self, listening: &Listening) {
        if self.listening != *listening {
            if self.listening.windows != listening.windows {
                self.reset();
            }
            self.listening = listening.clone();
            if let Some(running) = &mut self.running {
                running.checked = false;
            }
        }
    }

    fn rate_hz(&self) -> Option<u32> {
        self.rate_hz
    }

    fn reset(&mut self) {
        // The stream goes on, in the form that the new model wants.
        if self.running.is_some() {
            self.stop(None);
            self.ready = None;
            self.again = None;
            self.back_off = LEAST_BACK_OFF;
        }
    }
}

impl Drop for StreamSource {
    fn drop(&mut self) {
        if let Some(process) = self.running.as_mut().and_then(|running| running.child.as_mut()) {
            process.end("");
        }
    }
}
