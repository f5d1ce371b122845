//! Where uncompressed sound lies in its container, and what comes behind it.
//!
//! The size in a header is what a writer believed when it wrote it. Some never come back to correct
//! it, some count the header too, and 32 bits hold no more than 4 GiB: so the bytes behind the
//! announced end are looked at before they are left out.

use super::{
    bytes::{Bytes, Stop},
    info::Container,
    layout::Layout,
};
use crate::{Damage, pcm::ByteOrder};

/// Bytes looked at behind the announced end of the sound.
pub(super) const AHEAD_BYTES: usize = 1 << 12;
/// So many zeros behind the announced end are silence, whatever comes behind them: no writer fills a
/// file with more, and a stream need not hold back more.
pub(super) const MOST_ZEROS: u64 = 1 << 24;
/// A shorter rest that is no chunk is not taken for sound.
const LEAST_SOUND_BYTES: usize = 1 << 10;
/// Sizes that writers put down before they know: around 2 GiB, and the largest.
const PLACEHOLDERS: [std::ops::RangeInclusive<u64>; 2] =
    [0x7FFF_0000..=0x8000_0040, 0xFFFF_0000..=0xFFFF_FFFF];
/// Chunks that are known to stand behind sound.
const KNOWN_CHUNKS: [&[u8; 4]; 34] = [
    b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"cue ", b"smpl", b"inst", b"junk", b"JUNK",
    b"PAD ", b"FLLR", b"fact", b"PEAK", b"_PMX", b"axml", b"chna", b"levl", b"link", b"umid",
    b"afsp", b"DISP", b"plst", b"acid", b"strc", b"cart", b"guan", b"wamd", b"MARK", b"ANNO",
    b"COMT", b"NAME", b"AUTH", b"APPL",
];
/// How tags begin that players put behind any file.
pub(super) const TAGS: [&[u8]; 4] = [b"TAG", b"APETAGEX", b"ID3", b"LYRICSBEGIN"];
/// How another recording begins.
const BEGINNINGS: [(&[u8], usize, &[u8]); 5] = [
    (b"RIFF", 8, b"WAVE"),
    (b"RIFX", 8, b"WAVE"),
    (b"RF64", 8, b"WAVE"),
    (b"FORM", 8, b"AIF"),
    (b"riff\x2E\x91\xCF\x11", 24, b"wave"),
];

/// Uncompressed sound in its container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sound {
    pub(super) container: Container,
    pub(super) layout: Layout,
    /// Place of the first sample.
    pub(super) start: u64,
    /// Bytes that the header announces.
    pub(super) size: Size,
    /// End of the whole file as its header announces it.
    pub(super) outer_end: u64,
    /// Frames of the announced bytes, where the header counts them and the last block is filled up.
    pub(super) stated_frames: Option<u64>,
}

/// An announced size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Size {
    Bytes(u64),
    /// Written as zero: there is none, or the writer never came back.
    Zero,
    /// All up to the end.
    Open,
}

/// What comes behind the announced end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Behind {
    Nothing,
    MoreSound,
    /// Zeros, as fillings and silence are: what comes behind them tells.
    Zeros,
    AnotherRecording,
}

impl Size {
    pub(super) fn of(bytes: u64) -> Self {
        match bytes {
            0 => Self::Zero,
            bytes if PLACEHOLDERS.iter().any(|range| range.contains(&bytes)) => Self::Open,
            bytes => Self::Bytes(bytes),
        }
    }

    /// Bytes up to the place where what follows is looked at; `None` where that never happens.
    pub(super) fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Zero => Some(0),
            Self::Open => None,
        }
    }
}

impl Sound {
    /// Takes a header's count of frames, if it ends within the last announced block.
    pub(super) fn with_frames(self, stated: Option<u64>) -> Self {
        let room =
            self.size.bytes().filter(|bytes| bytes.is_multiple_of(self.layout.unit_bytes as u64));
        let fits = |stated: &u64| {
            let room = room.map_or(0, |bytes| self.layout.frames(bytes));
            *stated < room && room - *stated < self.layout.unit_frames as u64
        };
        Self { stated_frames: stated.filter(fits), ..self }
    }

    /// What the bytes `ahead` are that lie at `place`, the announced end or behind zeros there:
    /// [`AHEAD_BYTES`] of them, or all that are left.
    pub(super) fn behind(&self, place: u64, ahead: &[u8]) -> Behind {
        if begins_recording(ahead) {
            return Behind::AnotherRecording;
        }
        let padding = usize::from(place % 2 == 1);
        let is_chunk = |skipped: usize| {
            let Some(head) = ahead.get(skipped..skipped + 8) else { return false };
            let within = || place + skipped as u64 + self.chunk_bytes(head) <= self.outer_end + 1;
            KNOWN_CHUNKS.iter().any(|id| head.starts_with(*id))
                || (is_printable(&head[..4]) && within())
        };
        let is_end = ahead.len() < self.layout.unit_bytes.min(AHEAD_BYTES)
            || TAGS.iter().any(|tag| ahead.starts_with(tag))
            || is_chunk(0)
            || is_chunk(padding);
        if is_end {
            return Behind::Nothing;
        }
        if self.size == Size::Zero {
            return Behind::MoreSound;
        }
        match (ahead.len() < LEAST_SOUND_BYTES, ahead.iter().all(|byte| *byte == 0)) {
            (true, _) => Behind::Nothing,
            (false, false) => Behind::MoreSound,
            (false, true) if ahead.len() < AHEAD_BYTES => Behind::Nothing,
            (false, true) => Behind::Zeros,
        }
    }

    /// Whether zeros behind the announced end may be silence within the sound: a file of more than
    /// 4 GiB may wrap around there. Where the end lies within a frame they are not, and blocks of zeros
    /// are no silence.
    pub(super) fn may_go_on(&self) -> bool {
        let frame_bytes = self.layout.unit_bytes as u64;
        self.layout.unit_frames == 1
            && self.size.bytes().is_some_and(|bytes| bytes.is_multiple_of(frame_bytes))
    }

    fn chunk_bytes(&self, head: &[u8]) -> u64 {
        let size = [head[4], head[5], head[6], head[7]];
        8 + u64::from(self.chunk_order().u32(size))
    }

    /// AIFF is big endian even where its samples are not.
    fn chunk_order(&self) -> ByteOrder {
        if self.container == Container::Aiff { ByteOrder::Big } else { self.layout.order }
    }

    /// What is missing when the file ends at `end`, before the sound that was announced does. A
    /// writer that counted its own header has announced too much and lost nothing.
    pub(super) fn missing(&self, end: u64) -> Option<Damage> {
        let Size::Bytes(announced) = self.size else { return None };
        let frame = self.layout.frames(end.saturating_sub(self.start));
        let expected = self.layout.frames(announced);
        (announced > end && frame < expected).then_some(Damage::CutShort { frame, expected })
    }

    /// Where the sound ends in a file of `end` bytes, and what is wrong there.
    pub(super) fn end(
        &self,
        bytes: &mut impl Bytes,
        end: u64,
    ) -> Result<(u64, Option<Damage>), Stop> {
        let Some(announced) = self.size.bytes() else { return Ok((end, None)) };
        let sound_end = self.start.saturating_add(announced);
        if sound_end >= end {
            return Ok((end, self.missing(end)));
        }
        let mut ahead = vec![0; AHEAD_BYTES];
        let mut place = sound_end;
        loop {
            let found = bytes.read_at(place, &mut ahead)?;
            match self.behind(place, &ahead[..found]) {
                Behind::Nothing => return Ok((sound_end, None)),
                Behind::MoreSound => return Ok((end, None)),
                Behind::AnotherRecording => {
                    let frame = self.stated_frames.unwrap_or(self.layout.frames(announced));
                    return Ok((sound_end, Some(Damage::AnotherRecording { frame })));
                }
                Behind::Zeros if !self.may_go_on() => return Ok((sound_end, None)),
                Behind::Zeros => {
                    place = first_other(bytes, place)?;
                    if place - sound_end >= MOST_ZEROS {
                        return Ok((end, None));
                    }
                }
            }
        }
    }
}

/// Place of the first byte from `place` on that is not zero, or of the end, or [`MOST_ZEROS`] on.
pub(super) fn first_other(bytes: &mut impl Bytes, mut place: u64) -> Result<u64, Stop> {
    let (mut block, last) = (vec![0; 1 << 20], place + MOST_ZEROS);
    while place < last {
        let wanted = usize::try_from(last - place).unwrap_or(usize::MAX).min(block.len());
        let block = &mut block[..wanted];
        let found = bytes.read_at(place, block)?;
        if let Some(other) = block[..found].iter().position(|byte| *byte != 0) {
            return Ok(place + other as u64);
        }
        place += found as u64;
        if found < block.len() {
            break;
        }
    }
    Ok(place)
}

/// Place of the first header of a RIFF recording within `bytes`. A header shows up in the middle of
/// sound of unknown length when a recorder was started again into the same pipe or file.
pub(super) fn find_recording(bytes: &[u8]) -> Option<usize> {
    bytes.windows(16).position(|w| &w[..4] == b"RIFF" && &w[8..] == b"WAVEfmt ")
}

fn begins_recording(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|(magic, at, kind)| {
        bytes.starts_with(magic) && bytes.get(*at..).is_some_and(|rest| rest.starts_with(kind))
    })
}

fn is_printable(id: &[u8]) -> bool {
    id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_'))
}

/// Whether a chunk's name is one that is written in front of or behind sound.
pub(super) fn is_known_chunk(id: &[u8]) -> bool {
    const LEADING: [&[u8; 4]; 6] = [b"data", b"fmt ", b"ds64", b"COMM", b"SSND", b"FVER"];
    KNOWN_CHUNKS.iter().chain(&LEADING).any(|known| id == known.as_slice())
}

/// Whether a chunk's name could be one.
pub(super) fn may_be_chunk(id: &[u8]) -> bool {
    is_printable(id)
}
