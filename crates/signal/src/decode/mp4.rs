//! ISO MP4, made fit for its decoder: a file that was cut ends where it does, tables that count fewer blocks
//! than there are count all, and what lies behind the recording is told.

use std::{ops::Range, path::Path};

use super::{
    bytes::{Bytes, FileBytes, Input, Stop, all_there},
    part::{Ending, Part, what_follows},
    refusal::malformed,
};
use crate::AudioError;

/// A table of times that is longer is left as it is.
const MOST_TABLE_BYTES: u64 = 1 << 24;
/// Boxes looked at within one other.
const MOST_BOXES: usize = 1 << 10;

/// A box: its kind, where it and its body begin, and where it ends as it says.
#[derive(Clone, Copy)]
struct Mp4Box {
    kind: [u8; 4],
    start: u64,
    body: u64,
    end: u64,
}

/// Reads the boxes of the file that lies at `place` of the input.
pub(super) fn open(
    path: &Path,
    mut input: Box<dyn Input>,
    place: Range<u64>,
) -> Result<(Part, Option<Ending>), AudioError> {
    let bytes = FileBytes { path, input: input.as_mut() };
    let mut walk = Walk { path, bytes, patches: Vec::new() };
    let (end, ending) = all_there(path, walk.file(place.clone()))?;
    let patches = walk.patches.into_iter().map(|(at, bytes)| (at - place.start, bytes)).collect();
    Ok((Part::new(Vec::new(), input, place.start..end).patched(patches), ending))
}

struct Walk<'a> {
    path: &'a Path,
    bytes: FileBytes<'a>,
    patches: Vec<(u64, Vec<u8>)>,
}

impl Walk<'_> {
    /// Where the recording ends, and why there.
    fn file(&mut self, whole: Range<u64>) -> Result<(u64, Option<Ending>), Stop> {
        let (mut place, mut table, mut ending) = (whole.start, false, None);
        while place < whole.end {
            let found = self.next(place, whole.end)?;
            let Some(found) = found.filter(|found| is_name(found.kind)) else {
                ending = what_follows(&mut self.bytes, place, whole.end)?;
                break;
            };
            let is_second = place > whole.start && found.kind == *b"ftyp";
            if is_second || (table && found.kind == *b"moov") {
                ending = Some(Ending::Another);
                break;
            }
            if found.end > whole.end {
                ending = Some(Ending::Cut(None));
                if found.kind == *b"mdat" {
                    self.shorten(&found, whole.end);
                    place = whole.end;
                }
                break;
            }
            if found.kind == *b"moov" {
                table = true;
                self.tracks(&found)?;
            }
            place = found.end;
        }
        if table {
            return Ok((place, ending));
        }
        let what = "the table of its sound is missing, which is often written last";
        let is_cut = matches!(ending, Some(Ending::Cut(_)));
        let what = if is_cut { format!("it is cut short: {what}") } else { what.to_owned() };
        Err(malformed(self.path, what).into())
    }

    /// Makes a box end at a place.
    fn shorten(&mut self, found: &Mp4Box, end: u64) {
        let size = end - found.start;
        if found.body - found.start == 16 {
            self.patches.push((found.start + 8, size.to_be_bytes().to_vec()));
        } else if let Ok(size) = u32::try_from(size) {
            self.patches.push((found.start, size.to_be_bytes().to_vec()));
        }
    }

    /// Looks at the tables of every track of sound.
    fn tracks(&mut self, moov: &Mp4Box) -> Result<(), Stop> {
        for track in self.within(moov)?.into_iter().filter(|found| found.kind == *b"trak") {
            let Some(media) = self.child(&track, *b"mdia")? else { continue };
            let Some(handler) = self.child(&media, *b"hdlr")? else { continue };
            if self.bytes.array_at::<4>(handler.body + 8)? != Some(*b"soun") {
                continue;
            }
            let Some(information) = self.child(&media, *b"minf")? else { continue };
            let Some(tables) = self.child(&information, *b"stbl")? else { continue };
            let (times, sizes) = (self.child(&tables, *b"stts")?, self.child(&tables, *b"stsz")?);
            if let (Some(times), Some(sizes)) = (times, sizes) {
                self.count_all(&times, &sizes)?;
            }
        }
        Ok(())
    }

    /// Lets the table of times reach as far as that of sizes: what has no time is heard all the same.
    fn count_all(&mut self, times: &Mp4Box, sizes: &Mp4Box) -> Result<(), Stop> {
        let Some(blocks) = self.bytes.array_at::<4>(sizes.body + 8)? else { return Ok(()) };
        let length = times.end.saturating_sub(times.body + 8);
        if length > MOST_TABLE_BYTES {
            return Ok(());
        }
        let Some(entries) = self.bytes.array_at::<4>(times.body + 4)? else { return Ok(()) };
        let mut table = vec![0; length as usize];
        let found = self.bytes.read_at(times.body + 8, &mut table)?;
        let entries = (u32::from_be_bytes(entries) as usize).min(found / 8);
        let counts: Vec<u64> = table[..found]
            .as_chunks::<8>()
            .0
            .iter()
            .take(entries)
            .map(|[a, b, c, d, ..]| u32::from_be_bytes([*a, *b, *c, *d]).into())
            .collect();
        let (blocks, timed) = (u64::from(u32::from_be_bytes(blocks)), counts.iter().sum::<u64>());
        let last = counts.last().map(|last| last + blocks.saturating_sub(timed));
        if blocks > timed
            && let Some(Ok(last)) = last.map(u32::try_from)
        {
            let place = times.body + 8 + 8 * (entries as u64 - 1);
            self.patches.push((place, last.to_be_bytes().to_vec()));
        }
        Ok(())
    }

    fn child(&mut self, parent: &Mp4Box, kind: [u8; 4]) -> Result<Option<Mp4Box>, Stop> {
        Ok(self.within(parent)?.into_iter().find(|found| found.kind == kind))
    }

    fn within(&mut self, parent: &Mp4Box) -> Result<Vec<Mp4Box>, Stop> {
        let (mut place, mut found) = (parent.body, Vec::new());
        while let Some(next) = self.next(place, parent.end)?
            && next.end <= parent.end
            && found.len() < MOST_BOXES
        {
            place = next.end;
            found.push(next);
        }
        Ok(found)
    }

    /// The box at a place of one that ends at `end`.
    fn next(&mut self, start: u64, end: u64) -> Result<Option<Mp4Box>, Stop> {
        if end.saturating_sub(start) < 8 {
            return Ok(None);
        }
        let Some([a, b, c, d, kind @ ..]) = self.bytes.array_at::<8>(start)? else {
            return Ok(None);
        };
        let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, end - start),
            1 => match self.bytes.array_at::<8>(start + 8)? {
                Some(size) => (16, u64::from_be_bytes(size)),
                None => return Ok(None),
            },
            size => (8, size.into()),
        };
        let end = start.checked_add(size).filter(|_| size >= header);
        Ok(end.map(|end| Mp4Box { kind, start, body: start + header, end }))
    }
}

/// Whether a box could be called so.
fn is_name(kind: [u8; 4]) -> bool {
    kind.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | 0xA9))
}
