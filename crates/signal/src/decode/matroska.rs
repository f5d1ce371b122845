//! Matroska, made fit for its decoder: what a power cut left unfinished ends with the last whole block, and
//! what lies behind the recording is told.

use std::{ops::Range, path::Path};

use super::{
    bytes::{Bytes, FileBytes, Input, Stop, all_there},
    part::{Ending, Part, what_follows},
};
use crate::AudioError;

const HEADER: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const CLUSTER: u32 = 0x1F43_B675;
/// Elements that stand in a segment, and those of a cluster, whose size need not be known.
const KNOWN: [u32; 18] = [
    SEEK_HEAD,
    CLUSTER,
    0x1549_A966,
    0x1654_AE6B,
    0x1C53_BB6B,
    0x1941_A469,
    0x1043_A770,
    0x1254_C367,
    0xEC,
    0xBF,
    0xE7,
    0xA3,
    0xA0,
    0xA7,
    0xAB,
    0xAF,
    0x5854,
    0x55A2,
];

/// An element: where it begins, where its size stands, in how many bytes, and where its body begins.
#[derive(Clone, Copy)]
struct Element {
    id: u32,
    start: u64,
    size_at: u64,
    size_bytes: usize,
    body: u64,
    /// None where the writer did not know it.
    size: Option<u64>,
}

impl Element {
    /// Where it ends, as far as it says so.
    fn end(&self) -> Option<u64> {
        self.body.checked_add(self.size?)
    }

    /// Its size as it has to be for it to end at a place, written as wide as it is.
    fn ending_at(&self, end: u64) -> Vec<u8> {
        let marker = 1_u64 << (7 * self.size_bytes);
        // All ones: it is not known.
        let size = (end - self.body).min(marker - 1);
        (marker | size).to_be_bytes()[8 - self.size_bytes..].to_vec()
    }
}

/// Reads the elements of the file that lies at `place` of the input.
pub(super) fn open(
    path: &Path,
    mut input: Box<dyn Input>,
    place: Range<u64>,
) -> Result<(Part, Option<Ending>), AudioError> {
    let bytes = FileBytes { path, input: input.as_mut() };
    let mut walk = Walk { bytes, end: place.end, patches: Vec::new() };
    let (end, ending) = all_there(path, walk.file(place.start))?;
    let patches = walk.patches.into_iter().map(|(at, bytes)| (at - place.start, bytes)).collect();
    Ok((Part::new(Vec::new(), input, place.start..end).patched(patches), ending))
}

struct Walk<'a> {
    bytes: FileBytes<'a>,
    end: u64,
    patches: Vec<(u64, Vec<u8>)>,
}

/// Where the sound ends, and why there.
type Walked = (u64, Option<Ending>);

impl Walk<'_> {
    fn file(&mut self, start: u64) -> Result<Walked, Stop> {
        let header = self.element(start)?.and_then(|header| header.end());
        let segment = match header {
            Some(place) => self.element(place)?.filter(|segment| segment.id == SEGMENT),
            None => None,
        };
        let Some(segment) = segment else { return Ok((self.end, None)) };
        let mut index = None;
        let (end, mut ending) = self.segment(&segment, &mut index)?;
        if ending.is_none() && segment.end().is_some_and(|announced| announced > end) {
            ending = Some(Ending::Cut(None));
        }
        if segment.end().is_some_and(|announced| announced != end) {
            self.patches.push((segment.size_at, segment.ending_at(end)));
            if let Some(index) = index {
                self.hide(&index);
            }
        }
        Ok((end, ending))
    }

    /// Walks over everything in a segment; blocks of a cluster of unknown size lie among the rest.
    fn segment(&mut self, segment: &Element, index: &mut Option<Element>) -> Result<Walked, Stop> {
        let mut place = segment.body;
        while place < self.end {
            let within = segment.end().is_none_or(|end| place < end);
            let Some(element) = self.element(place)? else {
                return self.stopped(place, within);
            };
            if element.id == HEADER {
                return Ok((place, Some(Ending::Another)));
            }
            if !within && !KNOWN.contains(&element.id) {
                return self.stopped(place, within);
            }
            if element.id == SEEK_HEAD {
                *index = Some(element);
            }
            place = match element.end() {
                Some(end) if end <= self.end => end,
                Some(_) if element.id == CLUSTER => {
                    let last = self.last_block(&element)?;
                    self.patches.push((element.size_at, element.ending_at(last)));
                    return Ok((last, Some(Ending::Cut(None))));
                }
                Some(_) => return self.stopped(place, within),
                None if element.id == CLUSTER => element.body,
                None => return Ok((self.end, None)),
            };
        }
        Ok((self.end, None))
    }

    /// Nothing whole begins at a place: within the segment the file is cut short there.
    fn stopped(&mut self, place: u64, within: bool) -> Result<Walked, Stop> {
        if within {
            return Ok((place, Some(Ending::Cut(None))));
        }
        Ok((place, what_follows(&mut self.bytes, place, self.end)?))
    }

    /// Where the last whole element of a cluster ends that the file ends in.
    fn last_block(&mut self, cluster: &Element) -> Result<u64, Stop> {
        let mut place = cluster.body;
        while let Some(end) = self.element(place)?.and_then(|block| block.end())
            && end <= self.end
        {
            place = end;
        }
        Ok(place)
    }

    /// Makes an index one that is passed over: what it names may be gone.
    fn hide(&mut self, index: &Element) {
        let width = (index.body - index.start - 1) as usize;
        let (Some(size), 1..=8) = (index.size, width) else { return };
        let size = (1_u64 << (7 * width) | size).to_be_bytes();
        self.patches.push((index.start, [&[0xEC], &size[8 - width..]].concat()));
    }

    fn element(&mut self, start: u64) -> Result<Option<Element>, Stop> {
        let mut head = [0; 12];
        let wanted = usize::try_from(self.end.saturating_sub(start)).unwrap_or(head.len()).min(12);
        let found = self.bytes.read_at(start, &mut head[..wanted])?;
        let head = &head[..found];
        let Some(id_bytes) = width(head, 4) else { return Ok(None) };
        let rest = &head[id_bytes..];
        let Some(size_bytes) = width(rest, 8) else { return Ok(None) };
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let most = (1_u64 << (7 * size_bytes)) - 1;
        let size = number(&rest[..size_bytes]) & most;
        Ok(Some(Element {
            id: number(&head[..id_bytes]) as u32,
            start,
            size_at: start + id_bytes as u64,
            size_bytes,
            body: start + (id_bytes + size_bytes) as u64,
            size: (size != most).then_some(size),
        }))
    }
}

/// Bytes of the number that these begin with; none where it is longer than `most` or not all there.
fn width(bytes: &[u8], most: usize) -> Option<usize> {
    let width = bytes.first()?.leading_zeros() as usize + 1;
    (width <= most && width <= bytes.len()).then_some(width)
}
