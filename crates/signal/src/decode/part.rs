//! A part of a file, behind a head of our making, as a decoder's source.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use symphonia::core::io::MediaSource;

use super::{
    bytes::{Bytes, Input, Stop},
    sound::{TAGS, first_other},
};
use crate::Damage;

/// A shorter rest behind a recording is nothing.
const LEAST_REST: u64 = 1 << 10;

/// What a decoder sees: first the head, then the part of the file.
pub(super) struct Part {
    head: Vec<u8>,
    input: Box<dyn Input>,
    range: Range<u64>,
    place: u64,
    /// Bytes that stand at a place instead of the file's.
    patches: Vec<(u64, Vec<u8>)>,
}

/// Why a recording ends where its decoder stops, when that is not its own end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    /// The file is cut short; of so many frames, where that is known.
    Cut(Option<u64>),
    /// Another recording follows.
    Another,
    /// Bytes follow that belong to nothing.
    Rest,
}

impl Ending {
    /// What is wrong at the frame behind the last.
    pub(super) fn damage(self, frame: u64) -> Damage {
        match self {
            Self::Cut(Some(expected)) => Damage::CutShort { frame, expected },
            Self::Cut(None) => Damage::BadBlock { frame, what: "it is cut short".to_owned() },
            Self::Another => Damage::AnotherRecording { frame },
            Self::Rest => {
                let what = "more follows behind its end that is not heard,".to_owned();
                Damage::BadBlock { frame, what }
            }
        }
    }
}

/// What bytes are that follow a recording of a container, from `place` to the end of the file.
pub(super) fn what_follows(
    bytes: &mut impl Bytes,
    place: u64,
    end: u64,
) -> Result<Option<Ending>, Stop> {
    if end.saturating_sub(place) < LEAST_REST {
        return Ok(None);
    }
    let mut head = [0; 16];
    let found = bytes.read_at(place, &mut head)?;
    let head = &head[..found];
    if head.starts_with(b"caff") || head.starts_with(b"\x1A\x45\xDF\xA3") || is_ftyp(head) {
        return Ok(Some(Ending::Another));
    }
    let is_filling = first_other(bytes, place)? >= end;
    let is_tag = TAGS.iter().any(|tag| head.starts_with(tag));
    Ok((!is_filling && !is_tag).then_some(Ending::Rest))
}

fn is_ftyp(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|kind| kind == b"ftyp")
}

impl Part {
    pub(super) fn new(head: Vec<u8>, input: Box<dyn Input>, range: Range<u64>) -> Self {
        Self { head, input, range, place: 0, patches: Vec::new() }
    }

    /// With other bytes at some places of the part.
    pub(super) fn patched(self, patches: Vec<(u64, Vec<u8>)>) -> Self {
        Self { patches, ..self }
    }

    /// Puts other bytes into what was read at a place.
    fn patch(&self, place: u64, read: &mut [u8]) {
        for (at, bytes) in &self.patches {
            for (byte, at) in bytes.iter().zip(*at..) {
                let index = at.checked_sub(place).and_then(|index| usize::try_from(index).ok());
                if let Some(old) = index.and_then(|index| read.get_mut(index)) {
                    *old = *byte;
                }
            }
        }
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
        self.patch(self.place, &mut buffer[..count]);
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
