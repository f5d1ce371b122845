//! The headers of the WAV family, chunk by chunk: RIFF, RIFX, RF64, BW64, W64, AIFF and AIFF-C.

use std::path::Path;

use super::{
    bytes::{Bytes, Stop},
    info::Container,
    layout::{Coding, Fields, Kind, Layout, check_form},
    refusal::{malformed, unsupported},
    sound::{Size, Sound, is_known_chunk, may_be_chunk},
};
use crate::{
    AudioError,
    pcm::{ByteOrder, SampleKind},
};

/// Chunks that may stand before the sound, and the bytes that they may take. What is longer is no
/// header.
const MOST_CHUNKS: usize = 1024;
/// See [`MOST_CHUNKS`].
const MOST_HEADER_BYTES: u64 = 1 << 24;

/// Which member of the family a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// RIFF, RF64, BW64 (little endian) or RIFX (big endian).
    Riff(ByteOrder),
    W64,
    /// AIFF, or AIFF-C where true.
    Aiff(bool),
}

/// The last twelve bytes of W64's names.
const W64_TAIL: [u8; 12] = [0xF3, 0xAC, 0xD3, 0x11, 0x8C, 0xD1, 0x00, 0xC0, 0x4F, 0x8E, 0xDB, 0x8A];

/// Reads chunks up to the sound.
pub(super) fn find_sound(
    path: &Path,
    bytes: &mut impl Bytes,
    family: Family,
) -> Result<Sound, Stop> {
    let mut walk = Walk { path, bytes, family, place: 0, chunks: 0 };
    match family {
        Family::Riff(order) => walk.riff(order),
        Family::W64 => walk.w64(),
        Family::Aiff(compressed) => walk.aiff(compressed),
    }
}

/// The way from chunk to chunk.
struct Walk<'a, B> {
    path: &'a Path,
    bytes: &'a mut B,
    family: Family,
    place: u64,
    chunks: usize,
}

/// A chunk: its name, and where its body lies.
struct Chunk {
    id: [u8; 4],
    start: u64,
    size: u64,
}

impl<B: Bytes> Walk<'_, B> {
    fn riff(&mut self, order: ByteOrder) -> Result<Sound, Stop> {
        let size = self.bytes.array_at::<4>(4)?.unwrap_or_default();
        let mut outer_end = 8 + u64::from(order.u32(size));
        self.place = 12;
        let (mut layout, mut long_size, mut frames) = (None, None, None);
        loop {
            let chunk = self.next("data")?;
            match &chunk.id {
                b"data" => {
                    let layout = layout.ok_or_else(|| self.out_of_order("data", "fmt "))?;
                    let size = match (chunk.size, long_size) {
                        (0xFFFF_FFFF, Some(long)) => Size::of(long).or_open(),
                        (size, _) => Size::of(size),
                    };
                    let sound = Sound {
                        container: Container::Wav,
                        layout,
                        start: chunk.start,
                        size,
                        outer_end,
                        stated_frames: None,
                    };
                    return Ok(sound.with_frames(frames));
                }
                b"fmt " => {
                    let (start, size) = (chunk.start, chunk.size);
                    layout = Some(Layout::of_wave(self.path, self.bytes, start, size, order)?);
                }
                b"fact" => {
                    let count = self.bytes.array_at::<4>(chunk.start)?;
                    frames = count.map(|count| u64::from(order.u32(count)));
                }
                b"ds64" => {
                    if let Some(sizes) = self.bytes.array_at::<16>(chunk.start)? {
                        let [outer, data] = two_u64(sizes);
                        outer_end = outer.saturating_add(8);
                        long_size = Some(data);
                    }
                }
                _ => {}
            }
            self.leave(&chunk)?;
        }
    }

    fn w64(&mut self) -> Result<Sound, Stop> {
        let size = self.bytes.array_at::<8>(16)?.unwrap_or_default();
        let outer_end = u64::from_le_bytes(size);
        self.place = 40;
        let mut layout = None;
        loop {
            let chunk = self.next("data")?;
            match &chunk.id {
                b"data" => {
                    let layout = layout.ok_or_else(|| self.out_of_order("data", "fmt "))?;
                    let size = Size::of(chunk.size).or_open();
                    let (container, start) = (Container::W64, chunk.start);
                    let stated_frames = None;
                    return Ok(Sound { container, layout, start, size, outer_end, stated_frames });
                }
                b"fmt " => {
                    let (start, size) = (chunk.start, chunk.size);
                    let little = ByteOrder::Little;
                    layout = Some(Layout::of_wave(self.path, self.bytes, start, size, little)?);
                }
                _ => {}
            }
            self.leave(&chunk)?;
        }
    }

    fn aiff(&mut self, compressed: bool) -> Result<Sound, Stop> {
        let size = self.bytes.array_at::<4>(4)?.unwrap_or_default();
        let outer_end = 8 + u64::from(u32::from_be_bytes(size));
        self.place = 12;
        let mut layout = None;
        loop {
            let chunk = self.next("SSND")?;
            match &chunk.id {
                b"SSND" => {
                    let layout = layout.ok_or_else(|| self.out_of_order("SSND", "COMM"))?;
                    let offset = self.bytes.array_at::<4>(chunk.start)?.unwrap_or_default();
                    let before = 8 + u64::from(u32::from_be_bytes(offset));
                    let size = match Size::of(chunk.size) {
                        Size::Bytes(bytes) => Size::of(bytes.saturating_sub(before)),
                        size => size,
                    };
                    let start = chunk.start.saturating_add(before);
                    if start > MOST_HEADER_BYTES {
                        let what = format!("its sound begins at byte {start}");
                        return Err(malformed(self.path, what).into());
                    }
                    let (container, stated_frames) = (Container::Aiff, None);
                    return Ok(Sound { container, layout, start, size, outer_end, stated_frames });
                }
                b"COMM" => layout = Some(self.common(&chunk, compressed)?),
                _ => {}
            }
            self.leave(&chunk)?;
        }
    }

    /// AIFF's description of its sound.
    fn common(&mut self, chunk: &Chunk, compressed: bool) -> Result<Layout, Stop> {
        let mut body = [0; 22];
        let wanted = if compressed { 22 } else { 18 };
        let found = self.bytes.read_at(chunk.start, &mut body[..wanted])?;
        if found < wanted || chunk.size < wanted as u64 {
            let what = format!("its `COMM` chunk has {found} bytes, expected {wanted}");
            return Err(malformed(self.path, what).into());
        }
        let short = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        let (channels, bits) = (short(0), short(6));
        let rate_hz = rate_of_80_bits(&body[8..18]);
        check_form(self.path, channels, rate_hz)?;
        let coding = if compressed { &body[18..22] } else { b"NONE" };
        let (order, kind) = match coding {
            b"NONE" | b"twos" | b"in24" | b"in32" | b"raw " => (ByteOrder::Big, Kind::Integer),
            b"sowt" => (ByteOrder::Little, Kind::Integer),
            b"fl32" | b"FL32" | b"fl64" | b"FL64" => (ByteOrder::Big, Kind::Float),
            b"alaw" | b"ALAW" => (ByteOrder::Big, Kind::ALaw),
            b"ulaw" | b"ULAW" => (ByteOrder::Big, Kind::MuLaw),
            other => {
                let found = other.escape_ascii().to_string();
                let expected = "PCM, floating point, A-law or mu-law";
                return Err(unsupported(self.path, "the coding", found, expected).into());
            }
        };
        let bits = match coding {
            b"in24" => 24,
            b"in32" | b"fl32" | b"FL32" => 32,
            b"fl64" | b"FL64" => 64,
            // Some writers put down the bits of the sound before coding.
            b"alaw" | b"ALAW" | b"ulaw" | b"ULAW" => 8,
            _ => bits,
        };
        let frame_bytes = channels.saturating_mul(bits.div_ceil(8));
        let fields =
            Fields { channels, rate_hz, bytes_per_s: 0, frame_bytes, bits, valid_bits: bits, kind };
        let mut layout = fields.layout(self.path, order)?;
        if layout.coding == Coding::Samples(SampleKind::U8) && coding != b"raw " {
            layout.coding = Coding::Samples(SampleKind::I8);
        }
        Ok(layout)
    }

    /// The next chunk's head.
    fn next(&mut self, wanted: &str) -> Result<Chunk, Stop> {
        self.chunks += 1;
        let none = || malformed(self.path, format!("it has no `{wanted}` chunk"));
        if self.chunks > MOST_CHUNKS || self.place > MOST_HEADER_BYTES {
            let what = format!(
                "no `{wanted}` chunk among the first {MOST_CHUNKS} chunks or {} MiB",
                MOST_HEADER_BYTES >> 20
            );
            return Err(malformed(self.path, what).into());
        }
        if self.family == Family::W64 {
            let head = self.bytes.array_at::<24>(self.place)?.ok_or_else(none)?;
            let (name, size) = head.split_at(16);
            // A name that is not of this family stands for none.
            let known = name[4..] == W64_TAIL;
            let id = if known { [name[0], name[1], name[2], name[3]] } else { *b"    " };
            let mut long = [0; 8];
            long.copy_from_slice(size);
            let size = u64::from_le_bytes(long).saturating_sub(24);
            return Ok(Chunk { id, start: self.place + 24, size });
        }
        let head = self.bytes.array_at::<8>(self.place)?.ok_or_else(none)?;
        let [a, b, c, d, size @ ..] = head;
        let order = match self.family {
            Family::Riff(order) => order,
            Family::W64 | Family::Aiff(_) => ByteOrder::Big,
        };
        Ok(Chunk { id: [a, b, c, d], start: self.place + 8, size: order.u32(size).into() })
    }

    /// Moves behind a chunk. Chunks begin at even places (of W64: at every eighth), behind a filling
    /// byte where needed; some writers forget that, and some fill with anything.
    fn leave(&mut self, chunk: &Chunk) -> Result<(), Stop> {
        let end = chunk.start.saturating_add(chunk.size);
        if self.family == Family::W64 {
            self.place = end.checked_next_multiple_of(8).unwrap_or(u64::MAX);
            return Ok(());
        }
        self.place = end;
        if end.is_multiple_of(2) || end > MOST_HEADER_BYTES {
            return Ok(());
        }
        let mut next = [0; 5];
        let found = self.bytes.read_at(end, &mut next)?;
        let (unfilled, filled) = (&next[..4], &next[1..]);
        let forgotten = is_known_chunk(unfilled) || (next[0] != 0 && may_be_chunk(unfilled));
        let is_filled = found == 5 && (is_known_chunk(filled) || !forgotten);
        if is_filled || found < 5 {
            self.place = end + 1;
        }
        Ok(())
    }

    fn out_of_order(&self, sound: &str, form: &str) -> AudioError {
        malformed(self.path, format!("its `{sound}` chunk comes before `{form}`"))
    }
}

impl Size {
    /// Sizes of 64 bits are never zero but where the writer did not come back.
    fn or_open(self) -> Self {
        if self == Self::Zero { Self::Open } else { self }
    }
}

fn two_u64(bytes: [u8; 16]) -> [u64; 2] {
    let number = u128::from_le_bytes(bytes);
    [number as u64, (number >> 64) as u64]
}

/// A rate in 80-bit extended precision: sign and exponent in two bytes, then the whole mantissa.
fn rate_of_80_bits(bytes: &[u8]) -> u32 {
    let exponent = i32::from(u16::from_be_bytes([bytes[0], bytes[1]]) & 0x7FFF) - 16_383;
    let mantissa = bytes[2..10].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let negative = bytes[0] & 0x80 != 0;
    if negative || !(0..32).contains(&exponent) {
        return if exponent >= 32 { u32::MAX } else { 0 };
    }
    u32::try_from((mantissa >> 31 >> (31 - exponent)).div_ceil(2)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_80_bits_are_read() {
        let cases: [([u8; 4], u32); 5] = [
            ([0x40, 0x0E, 0xAC, 0x44], 44_100),
            ([0x40, 0x0C, 0xFA, 0x00], 16_000),
            ([0x40, 0x10, 0xBB, 0x80], 192_000),
            ([0, 0, 0, 0], 0),
            ([0x7F, 0xFF, 0xFF, 0xFF], u32::MAX),
        ];
        for (head, rate_hz) in cases {
            let mut bytes = [0; 10];
            bytes[..4].copy_from_slice(&head);
            assert_eq!(rate_of_80_bits(&bytes), rate_hz, "{head:?}");
        }
    }
}
