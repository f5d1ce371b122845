//! Bytes that come from elsewhere as a source: a pipe, standard input, a microphone.

use std::{
    collections::VecDeque,
    io::{self, Read},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use offkey_signal::{PcmFormat, StreamReader};

use super::{
    blocks::blocks,
    memory::Bookmarks,
    source::{Piece, Source, Stretch},
};
use crate::{Listening, Problem};

/// Blocks that may wait to be heard.
const MOST_WAITING: usize = 64;

/// A stream of bytes.
pub struct ByteStream {
    name: String,
    blocks: Receiver<io::Result<Vec<u8>>>,
    reader: StreamReader,
    listening: Listening,
    begin: Option<Stretch>,
    over: bool,
    end_expected: bool,
    came: bool,
    /// Samples handed over.
    heard: u64,
    /// Whether it was told how the stream differs from the normal recordings.
    compared: bool,
    /// What is told next, before more is read.
    ready: VecDeque<Piece>,
}

impl ByteStream {
    /// A stream, called `name` in events; `begun_ms` tells it from earlier ones, in milliseconds since
    /// 1970. Bytes of no known form are raw samples.
    pub fn new(
        bytes: Box<dyn Read + Send>,
        name: &str,
        begun_ms: u64,
        raw: PcmFormat,
        listening: Listening,
    ) -> Self {
        let config = listening.windows.decode_config();
        Self {
            name: name.to_owned(),
            blocks: blocks(bytes, MOST_WAITING),
            reader: StreamReader::new(Path::new(name), Some(raw), &config),
            listening,
            begin: Some(Stretch {
                place: name.to_owned(),
                id: format!("{name}#{begun_ms}"),
                name: name.to_owned(),
                begun: None,
            }),
            over: false,
            end_expected: false,
            came: false,
            heard: 0,
            compared: false,
            ready: VecDeque::new(),
        }
    }

    /// The same stream, whose end is expected and not told.
    #[must_use]
    pub fn ending(mut self, expected: bool) -> Self {
        self.end_expected = expected;
        self
    }

    fn ended(&self, reason: &str) -> Piece {
        if self.end_expected && self.came {
            return Piece::End;
        }
        Piece::Lost { problem: Problem::Ended, reason: reason.to_owned() }
    }

    fn take(&mut self, bytes: &[u8]) -> Piece {
        let mut samples = Vec::new();
        self.came |= !bytes.is_empty();
        let taken = if bytes.is_empty() {
            self.over = true;
            self.reader.finish(&mut samples)
        } else {
            self.reader.push(bytes, &mut samples)
        };
        let info = self.reader.info();
        if let Some(reason) = info.and_then(|info| self.listening.refusal(info.rate_hz)) {
            self.over = true;
            return Piece::Lost { problem: Problem::NotUnderstood, reason };
        }
        if let (Some(info), false) = (&info, self.compared) {
            self.compared = true;
            self.ready.extend(self.listening.difference(info).map(Piece::Differs));
        }
        self.heard += samples.len() as u64;
        self.ready.push_back(Piece::Sound(samples));
        match taken {
            Ok(()) if self.over => {
                let told = self.listening.left_out(&self.name, self.heard);
                let unread = |message| Piece::Unread { message, again: false };
                self.ready.extend(told.map(unread));
                self.ready.push_back(self.ended("the stream has ended"));
            }
            Ok(()) => {}
            Err(error) => {
                self.over = true;
                let reason = error.to_string();
                self.ready.push_back(Piece::Lost { problem: Problem::NotUnderstood, reason });
            }
        }
        self.ready.pop_front().unwrap_or(Piece::Nothing)
    }
}

impl Source for ByteStream {
    fn next(&mut self, _bookmarks: &Bookmarks, wait: Duration) -> Piece {
        if let Some(stretch) = self.begin.take() {
            return Piece::Begin { stretch, first_sample: 0 };
        }
        if let Some(piece) = self.ready.pop_front() {
            return piece;
        }
        if self.over {
            return Piece::End;
        }
        match self.blocks.recv_timeout(wait) {
            Ok(Ok(bytes)) => self.take(&bytes),
            Ok(Err(error)) => {
                self.over = true;
                self.ended(&error.to_string())
            }
            Err(RecvTimeoutError::Timeout) => Piece::Nothing,
            Err(RecvTimeoutError::Disconnected) => {
                self.over = true;
                self.ended("the stream has ended")
            }
        }
    }
}
