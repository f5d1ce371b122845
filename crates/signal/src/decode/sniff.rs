//! What a file is, by its first bytes; its name is not asked.

use std::path::Path;

use super::{
    bytes::{Bytes, Stop},
    chunks::Family,
    info::Container,
};
use crate::{AudioError, pcm::ByteOrder};

/// Bytes in which text is told from sound.
const TEXT_BYTES: usize = 512;
/// Fewer bytes are not called text.
const LEAST_TEXT: usize = 8;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Uncompressed sound behind chunks.
    Family(Family),
    /// FLAC; its marker lies at the place.
    Flac(u64),
    /// Another container that is decoded; it begins at the place.
    Packets(Container, u64),
    /// Something that is known and not decoded.
    Foreign(Foreign),
    /// Nothing that is known.
    Unknown,
}

/// A form that is known and not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) name: &'static str,
    pub(super) is_sound: bool,
}

impl Foreign {
    /// The error that names the form.
    pub(super) fn refused(self, path: &Path) -> AudioError {
        let Self { name, is_sound } = self;
        AudioError::Foreign { path: path.to_owned(), name, is_sound }
    }
}

/// How forms begin that are known and not decoded: the place, the bytes, the name.
pub(super) const SOUNDS: [(usize, &[u8], &str); 30] = [
    (0, b".snd", "AU"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "WMA (ASF)"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"TTA1", "True Audio"),
    (0, b"DSD ", "DSF"),
    (0, b"FRM8", "DSDIFF"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b"Creative Voice File", "VOC"),
    (0, b"\x64\xA3\x01\x00", "IRCAM"),
    (0, b"\x64\xA3\x02\x00", "IRCAM"),
    (0, b"\x64\xA3\x03\x00", "IRCAM"),
    (0, b"\x64\xA3\x04\x00", "IRCAM"),
    (0, b" paf", "Ensoniq PARIS"),
    (0, b"fap ", "Ensoniq PARIS"),
    (0, b"2BIT", "AVR"),
    (0, b"\xF0\x7E\x00\x01", "a MIDI sample dump"),
    (0, b"\x0B\x77", "AC-3"),
    (0, b"\x7F\xFE\x80\x01", "DTS"),
    (0, b"MThd", "MIDI"),
    (0, b"FORM", "an IFF file other than AIFF"),
    (0, b".RMF", "RealMedia"),
    (0, b"FLV", "Flash video"),
    (0, b"\x00\x00\x01\xBA", "MPEG video"),
    (8, b"AVI ", "AVI video"),
    (28, b"Speex   ", "Ogg with Speex"),
    #[cfg(not(feature = "opus"))]
    (28, b"OpusHead", "Opus"),
    #[cfg(feature = "opus")]
    (8, b"CDXA", "MPEG video"),
];
/// As [`SOUNDS`], of what holds no sound.
const OTHERS: [(usize, &[u8], &str); 17] = [
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1F\x8B", "a gzip archive"),
    (0, b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xFD7zXZ", "an xz archive"),
    (0, b"\x28\xB5\x2F\xFD", "a zstd archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xFF\xD8\xFF", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"\x7FELF", "a program"),
];
const W64: &[u8; 16] = b"riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00";

/// Recognises the form of a file or stream.
pub(super) fn sniff(path: &Path, bytes: &mut impl Bytes) -> Result<Kind, Stop> {
    // Most forms show in sixteen bytes; a live stream need not wait for more.
    let mut head = [0; 16];
    let found = bytes.read_at(0, &mut head)?;
    if found == 0 {
        return Err(AudioError::Empty { path: path.to_owned() }.into());
    }
    match &head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'R' | b'B', b'F' | b'W', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
            return Ok(Kind::Family(Family::Riff(ByteOrder::Little)));
        }
        [b'R', b'I', b'F', b'X', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
            return Ok(Kind::Family(Family::Riff(ByteOrder::Big)));
        }
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', kind @ (b'F' | b'C'), ..] => {
            return Ok(Kind::Family(Family::Aiff(*kind == b'C')));
        }
        W64 => return Ok(Kind::Family(Family::W64)),
        [b'f', b'L', b'a', b'C', ..] => return Ok(Kind::Flac(0)),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => return Ok(Kind::Packets(Container::Mp4, 0)),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => return Ok(Kind::Packets(Container::Matroska, 0)),
        [b'c', b'a', b'f', b'f', ..] => return Ok(Kind::Packets(Container::Caf, 0)),
        [b'I', b'D', b'3', ..] => return behind_id3(bytes, &head),
        _ => {}
    }
    if let Some(container) = frames_at(bytes, 0)? {
        return Ok(Kind::Packets(container, 0));
    }
    let mut longer = vec![0; TEXT_BYTES];
    let found = bytes.read_at(0, &mut longer)?;
    longer.truncate(found);
    Ok(longer_sniff(&longer))
}

fn longer_sniff(bytes: &[u8]) -> Kind {
    let is = |(at, magic, _): &&(usize, &[u8], &str)| {
        bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic))
    };
    let foreign = |name, is_sound| Kind::Foreign(Foreign { name, is_sound });
    if let Some((_, _, name)) = SOUNDS.iter().find(is) {
        return foreign(name, true);
    }
    if bytes.starts_with(b"OggS") {
        return Kind::Packets(Container::Ogg, 0);
    }
    if let Some((_, _, name)) = OTHERS.iter().find(is) {
        return foreign(name, false);
    }
    if is_weights(bytes) {
        return foreign("an offkey model or a safetensors file", false);
    }
    if bytes.starts_with(b"RIFF") && bytes.len() >= 12 {
        return foreign("a RIFF file that is no WAV", false);
    }
    let is_text = bytes.len() >= LEAST_TEXT
        && bytes.iter().all(|byte| (0x20..0x7F).contains(byte) || byte.is_ascii_whitespace());
    if !is_text {
        return Kind::Unknown;
    }
    let lower = bytes.to_ascii_lowercase();
    let is_page = [b"<!doctype".as_slice(), b"<html"]
        .iter()
        .any(|tag| lower.windows(tag.len()).take(64).any(|window| window == *tag));
    if is_page { foreign("a web page", false) } else { foreign("text", false) }
}

/// Model files: eight bytes of length, then a JSON table.
fn is_weights(bytes: &[u8]) -> bool {
    let Some(length) = bytes.first_chunk::<8>() else { return false };
    u64::from_le_bytes(*length) < 1 << 32 && bytes[8..].starts_with(b"{\"")
}

/// Taggers put an ID3 block in front of FLAC and MPEG frames: ten bytes, the last four its size in
/// 7-bit pieces.
fn behind_id3(bytes: &mut impl Bytes, head: &[u8; 16]) -> Result<Kind, Stop> {
    let size = head[6..10].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
    let place = 10 + size;
    if bytes.array_at::<4>(place)? == Some(*b"fLaC") {
        return Ok(Kind::Flac(place));
    }
    // Between the tag and the first frame there may be filling.
    let container = frames_at(bytes, place)?.unwrap_or(Container::Mpeg);
    Ok(Kind::Packets(container, place))
}

/// Whether two MPEG audio or ADTS frames follow each other at a place. One header alone may be
/// samples of sound.
fn frames_at(bytes: &mut impl Bytes, place: u64) -> Result<Option<Container>, Stop> {
    let mut first = [0; 6];
    let found = bytes.read_at(place, &mut first[..2])?;
    if found < 2 || first[0] != 0xFF || first[1] & 0xE0 != 0xE0 {
        return Ok(None);
    }
    if bytes.read_at(place, &mut first)? < first.len() {
        return Ok(None);
    }
    let (container, length) = match (mp3_frame_bytes(first), adts_frame_bytes(first)) {
        (Some(length), _) => (Container::Mpeg, length),
        (None, Some(length)) => (Container::Adts, length),
        (None, None) => return Ok(None),
    };
    let mut second = [0; 2];
    let found = bytes.read_at(place + length, &mut second)?;
    // All but the last bits, which may differ from frame to frame, are the same.
    let alike = found == 0 || (second[0] == first[0] && second[1] | 1 == first[1] | 1);
    Ok(alike.then_some(container))
}

/// Bytes of an MPEG layer III frame, by its header.
pub(super) fn mp3_frame_bytes(head: [u8; 6]) -> Option<u64> {
    const KBITS: [[u64; 14]; 2] = [
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    const RATES_HZ: [u64; 3] = [44_100, 48_000, 32_000];
    let (version, layer) = (head[1] >> 3 & 3, head[1] >> 1 & 3);
    if head[1] & 0xE0 != 0xE0 || version == 1 || layer != 1 {
        return None;
    }
    let is_first = version == 3;
    let kbits = KBITS[usize::from(!is_first)].get(usize::from(head[2] >> 4).checked_sub(1)?)?;
    let rate_hz = RATES_HZ.get(usize::from(head[2] >> 2 & 3))?;
    let (slots, rate_hz) = match version {
        3 => (144, *rate_hz),
        2 => (72, rate_hz / 2),
        _ => (72, rate_hz / 4),
    };
    Some(slots * kbits * 1000 / rate_hz + u64::from(head[2] >> 1 & 1))
}

/// Bytes of an ADTS frame, by its header.
pub(super) fn adts_frame_bytes(head: [u8; 6]) -> Option<u64> {
    let is_adts = head[1] & 0xF6 == 0xF0 && head[2] >> 2 & 0xF < 13;
    let length = u64::from(head[3] & 3) << 11 | u64::from(head[4]) << 3 | u64::from(head[5] >> 5);
    (is_adts && length > 7).then_some(length)
}
