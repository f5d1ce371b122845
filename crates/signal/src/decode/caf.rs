//! Apple's CAF, made fit for its decoder: chunks are checked, and one that a power cut left unfinished
//! ends where the file does.

use std::{ops::Range, path::Path};

use super::{
    bytes::{Bytes, FileBytes, Input, Stop, all_there},
    layout::check_form,
    part::{Ending, Part, what_follows},
    refusal::{malformed, unsupported},
    sound::may_be_chunk,
};
use crate::AudioError;

/// Bytes in front of the sound; what is longer is no header.
const MOST_HEADER_BYTES: u64 = 1 << 24;
/// Bytes and frames of one packet.
const MOST_OF_A_PACKET: u32 = 1 << 24;
/// Bytes of a chunk's name and size.
const HEAD_BYTES: u64 = 12;

/// The description of the sound that matters here.
#[derive(Clone, Copy)]
struct Packets {
    bytes: u32,
    frames: u32,
}

impl Packets {
    /// Whether every packet is alike, so that no table is needed.
    fn are_alike(self) -> bool {
        self.bytes > 0 && self.frames > 0
    }
}

/// Reads the chunks of the file that lies at `place` of the input.
pub(super) fn open(
    path: &Path,
    mut input: Box<dyn Input>,
    place: Range<u64>,
) -> Result<(Part, Option<Ending>), AudioError> {
    let bytes = FileBytes { path, input: input.as_mut() };
    let walked = Walk { path, bytes, end: place.end }.chunks(place.start);
    let (head, range, ending) = all_there(path, walked)?;
    Ok((Part::new(head, input, range), ending))
}

struct Walk<'a> {
    path: &'a Path,
    bytes: FileBytes<'a>,
    end: u64,
}

/// The head of the decoder's file, the part of ours that follows, and why it ends there.
type Walked = (Vec<u8>, Range<u64>, Option<Ending>);

/// A chunk: where it begins, where its body does, and the size of that; negative where it is not known.
struct Chunk {
    id: [u8; 4],
    start: u64,
    size: i64,
}

impl Chunk {
    fn body(&self) -> u64 {
        self.start + HEAD_BYTES
    }

    /// Where the chunk ends; nowhere when its size is not known or beyond all files.
    fn end(&self) -> Option<u64> {
        self.body().checked_add(u64::try_from(self.size).ok()?)
    }
}

impl Walk<'_> {
    fn chunks(mut self, start: u64) -> Result<Walked, Stop> {
        let mut place = start + 8;
        let (mut packets, mut table) = (None, false);
        loop {
            if place - start > MOST_HEADER_BYTES {
                return Err(self.bad(format!("no `data` chunk in {} MiB", MOST_HEADER_BYTES >> 20)));
            }
            let chunk = self.chunk(place)?.ok_or_else(|| self.bad("it has no `data` chunk"))?;
            match (&chunk.id, packets) {
                (b"desc", None) => packets = Some(self.description(&chunk)?),
                (b"desc", Some(_)) => return Err(self.bad("it has two `desc` chunks")),
                (_, None) => return Err(self.bad("its first chunk is not `desc`")),
                (b"data", Some(packets)) => return self.sound(start, &chunk, packets, table),
                (b"pakt", Some(packets)) => {
                    self.table(&chunk, packets)?;
                    table = true;
                }
                _ => {}
            }
            place = self.whole(&chunk)?;
        }
    }

    fn bad(&self, what: impl Into<String>) -> Stop {
        malformed(self.path, what).into()
    }

    fn chunk(&mut self, start: u64) -> Result<Option<Chunk>, Stop> {
        if self.end.saturating_sub(start) < HEAD_BYTES {
            return Ok(None);
        }
        let Some(head) = self.bytes.array_at::<12>(start)? else { return Ok(None) };
        let [a, b, c, d, size @ ..] = head;
        Ok(Some(Chunk { id: [a, b, c, d], start, size: i64::from_be_bytes(size) }))
    }

    /// Where a chunk ends that lies within the file.
    fn whole(&self, chunk: &Chunk) -> Result<u64, Stop> {
        chunk.end().filter(|&end| end <= self.end).ok_or_else(|| {
            let (name, size) = (chunk.id.escape_ascii(), chunk.size);
            self.bad(format!("its `{name}` chunk of {size} bytes does not fit into the file"))
        })
    }

    fn description(&mut self, chunk: &Chunk) -> Result<Packets, Stop> {
        let body = self.bytes.array_at::<32>(chunk.body())?.filter(|_| chunk.size == 32);
        let Some(body) = body else {
            return Err(self.bad("its `desc` chunk is not 32 bytes long"));
        };
        let word =
            |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let rate = u64::from(word(0)) << 32 | u64::from(word(4));
        let channels = u16::try_from(word(24)).unwrap_or(u16::MAX);
        // As an integer: what is no number is 0, what is too large the largest.
        check_form(self.path, channels, f64::from_bits(rate) as u32)?;
        let packets = Packets { bytes: word(16), frames: word(20) };
        if packets.bytes > MOST_OF_A_PACKET || packets.frames > MOST_OF_A_PACKET {
            // Some programs write what is no number here for codings that CAF has no place for.
            let found = format!("{} bytes or {} frames", packets.bytes, packets.frames);
            let expected = "at most 16777216 of each";
            return Err(unsupported(self.path, "packets of", found, expected).into());
        }
        Ok(packets)
    }

    /// The sound, and what lies behind it as far as it is whole.
    fn sound(
        &mut self,
        start: u64,
        data: &Chunk,
        packets: Packets,
        mut table: bool,
    ) -> Result<Walked, Stop> {
        let body = data.body() + 4;
        if body > self.end || (data.size != -1 && data.size < 4) {
            return Err(self.bad("it ends in front of its sound"));
        }
        let announced = data.end().unwrap_or(self.end);
        let mut range = body..announced.min(self.end);
        let of_a_packet = u64::from(packets.bytes.max(1));
        if packets.are_alike() {
            let whole = (range.end - body) / of_a_packet * of_a_packet;
            if announced > self.end {
                range.end = body + whole;
            }
        }
        let mut sound_bytes = range.end - body;
        let mut place = range.end;
        while announced <= self.end
            && let Some(chunk) = self.chunk(place)?
            && may_be_chunk(&chunk.id)
            && let Ok(end) = self.whole(&chunk)
        {
            if &chunk.id == b"pakt" {
                self.table(&chunk, packets)?;
                table = true;
            }
            place = end;
        }
        let mut ending = what_follows(&mut self.bytes, place, self.end)?;
        // Samples that go on where the sound was said to end are heard.
        let goes_on = ending == Some(Ending::Rest) && place == range.end && packets.are_alike();
        if goes_on {
            sound_bytes = (self.end - body) / of_a_packet * of_a_packet;
            (place, ending) = (body + sound_bytes, None);
        }
        range.end = place;
        if !packets.are_alike() && !table {
            let what = "the table of its packets is missing, which is often written last";
            return Err(self.bad(what));
        }
        let mut head = vec![0; (body - start) as usize];
        self.bytes.read_at(start, &mut head)?;
        let size_at = (data.start - start) as usize + 4;
        head[size_at..size_at + 8].copy_from_slice(&(sound_bytes + 4).to_be_bytes());
        let frames = (announced - body) / of_a_packet * u64::from(packets.frames);
        if announced > self.end && packets.are_alike() {
            ending = Some(Ending::Cut(Some(frames)));
        }
        Ok((head, range, ending))
    }

    /// Checks a table of packets: its numbers become lengths of what is read.
    fn table(&mut self, chunk: &Chunk, packets: Packets) -> Result<(), Stop> {
        let end = self.whole(chunk)?;
        let bad = |walk: &Self| walk.bad("its table of packets contradicts itself");
        let count = self.bytes.array_at::<8>(chunk.body())?.map(i64::from_be_bytes);
        let count = count.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| bad(self))?;
        let place = chunk.body() + 24;
        let fields = u64::from(packets.bytes == 0) + u64::from(packets.frames == 0);
        if place > end || (fields > 0 && count > end - place) {
            return Err(bad(self));
        }
        let mut entries = vec![0; usize::try_from(end - place).unwrap_or(usize::MAX)];
        let found = self.bytes.read_at(place, &mut entries)?;
        let mut entries = entries[..found].iter();
        for _ in 0..count * fields {
            let mut value = 0_u64;
            loop {
                let byte = entries.next().ok_or_else(|| bad(self))?;
                value = value << 7 | u64::from(byte & 0x7F);
                if value > u64::from(MOST_OF_A_PACKET) {
                    return Err(bad(self));
                }
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}
