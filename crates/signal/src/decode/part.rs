//! A part of a file, behind a head of our making, as a decoder's source.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use symphonia::core::io::MediaSource;

use super::bytes::Input;

/// What a decoder sees: first the head, then the part of the file.
pub(super) struct Part {
    head: Vec<u8>,
    input: Box<dyn Input>,
    range: Range<u64>,
    place: u64,
}

impl Part {
    pub(super) fn new(head: Vec<u8>, input: Box<dyn Input>, range: Range<u64>) -> Self {
        Self { head, input, range, place: 0 }
    }

    fn len(&self) -> u64 {
        self.head.len() as u64 + self.range.end.saturating_sub(self.range.start)
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head_bytes = self.head.len() as u64;
        let count = if self.place < head_bytes {
            (&self.head[self.place as usize..]).read(buffer)?
        } else {
            let left = usize::try_from(self.len().saturating_sub(self.place)).unwrap_or(usize::MAX);
            let most = buffer.len().min(left);
            self.input.seek(SeekFrom::Start(self.range.start + self.place - head_bytes))?;
            self.input.read(&mut buffer[..most])?
        };
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

impl MediaSource for Part {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len())
    }
}
