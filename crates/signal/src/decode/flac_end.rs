//! Where the sound of a FLAC file ends: behind its last coded frame, and before the tags that
//! players put there. The frame tells the true length, whatever the header says.

use std::ops::Range;

use super::bytes::{Bytes, Stop};

/// Bytes searched for the last frame: more than a block of 4608 samples in eight channels of 24 bits
/// takes.
const WINDOW_BYTES: u64 = 1 << 18;
/// Beginnings of frames tried.
const MOST_BEGINNINGS: usize = 64;
/// A tag that is not the last is not looked for.
const MOST_TAGS: usize = 4;

/// Sizes of blocks, by the stream information.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    /// Samples of every block but the last, where all are alike.
    pub(super) most: u64,
}

/// The last whole coded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastFrame {
    /// The place behind it.
    pub(super) end: u64,
    /// Samples per channel up to its end.
    pub(super) frames: u64,
}

impl Blocks {
    pub(super) fn of(stream_info: &[u8; 34]) -> Self {
        Self { most: u16::from_be_bytes([stream_info[2], stream_info[3]]).into() }
    }
}

/// Finds the last frame of a file whose coded frames and tags lie in `range`; `None` where the file
/// does not end with a whole frame, zeros and tags aside.
pub(super) fn last_frame(
    bytes: &mut impl Bytes,
    range: Range<u64>,
    blocks: Blocks,
) -> Result<Option<LastFrame>, Stop> {
    if range.start >= range.end {
        return Ok(None);
    }
    let mut end = range.end;
    for _ in 0..MOST_TAGS {
        end = before_tag(bytes, range.start, end)?;
    }
    end = before_zeros(bytes, range.start, end)?;
    let begin = range.start.max(end.saturating_sub(WINDOW_BYTES));
    // The last byte of a frame's checksum may be zero, or both.
    let most = (range.end - end).min(2);
    let mut window = vec![0; (end + most).saturating_sub(begin) as usize];
    let found = bytes.read_at(begin, &mut window)?;
    window.truncate(found);
    let mut tried = 0;
    for at in (0..window.len().saturating_sub(1)).rev() {
        if window[at] != 0xFF || window[at + 1] & 0xFE != 0xF8 {
            continue;
        }
        let Some(frames) = frames_up_to(&window[at..], blocks) else { continue };
        for zeros in 0..=most {
            let frame_end = (end + zeros - begin) as usize;
            if window.get(at..frame_end).is_some_and(|frame| crc_16(frame) == 0) {
                return Ok(Some(LastFrame { end: end + zeros, frames }));
            }
        }
        tried += 1;
        if tried == MOST_BEGINNINGS {
            break;
        }
    }
    Ok(None)
}

/// The place where a tag begins that ends at `end`; `end` where there is none.
fn before_tag(bytes: &mut impl Bytes, start: u64, end: u64) -> Result<u64, Stop> {
    const ID3V1_BYTES: u64 = 128;
    const APE_BYTES: u64 = 32;
    if end >= start + ID3V1_BYTES && bytes.array_at(end - ID3V1_BYTES)? == Some(*b"TAG") {
        return Ok(end - ID3V1_BYTES);
    }
    if end < start + APE_BYTES {
        return Ok(end);
    }
    let Some(foot) = bytes.array_at::<24>(end - APE_BYTES)? else { return Ok(end) };
    if !foot.starts_with(b"APETAGEX") {
        return Ok(end);
    }
    let number =
        |at: usize| u32::from_le_bytes([foot[at], foot[at + 1], foot[at + 2], foot[at + 3]]);
    let has_head = number(20) & 0x8000_0000 != 0;
    let size = u64::from(number(12)) + if has_head { APE_BYTES } else { 0 };
    Ok(if size >= APE_BYTES && start + size <= end { end - size } else { end })
}

/// The place behind the last byte that is not zero.
fn before_zeros(bytes: &mut impl Bytes, start: u64, end: u64) -> Result<u64, Stop> {
    let begin = start.max(end.saturating_sub(WINDOW_BYTES));
    let mut window = vec![0; (end - begin) as usize];
    let found = bytes.read_at(begin, &mut window)?;
    let last = window[..found].iter().rposition(|byte| *byte != 0);
    Ok(last.map_or(end, |last| begin + last as u64 + 1))
}

/// Samples per channel up to the end of the frame whose header begins here; `None` for what is no
/// header.
fn frames_up_to(bytes: &[u8], blocks: Blocks) -> Option<u64> {
    let is_variable = bytes[1] & 1 == 1;
    let (size_code, rate_code) = (*bytes.get(2)? >> 4, bytes[2] & 0xF);
    let (number, mut at) = coded_number(bytes, 4)?;
    let mut extra = |count: usize| -> Option<u64> {
        let value =
            bytes.get(at..at + count)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        at += count;
        Some(value)
    };
    let samples = match size_code {
        0 => return None,
        1 => 192,
        2..=5 => 576 << (size_code - 2),
        6 => extra(1)? + 1,
        7 => extra(2)? + 1,
        _ => 256 << (size_code - 8),
    };
    match rate_code {
        12 => extra(1)?,
        13 | 14 => extra(2)?,
        15 => return None,
        _ => 0,
    };
    (crc_8(&bytes[..at]) == *bytes.get(at)?).then_some(())?;
    Some(if is_variable { number } else { number * blocks.most } + samples)
}

/// A number in the coding of UTF-8, stretched to 36 bits; and the place behind it.
fn coded_number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let lead = *bytes.get(at)?;
    let count = lead.leading_ones() as usize;
    match count {
        0 => return Some((lead.into(), at + 1)),
        1 | 8 => return None,
        _ => {}
    }
    let first = u64::from(lead & (0x7F >> count));
    let rest = bytes.get(at + 1..at + count)?;
    let number = rest.iter().try_fold(first, |sum, byte| {
        (byte & 0xC0 == 0x80).then_some(sum << 6 | u64::from(byte & 0x3F))
    })?;
    Some((number, at + count))
}

fn crc_8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

fn crc_16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = crc_16_table();
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const fn crc_16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}
