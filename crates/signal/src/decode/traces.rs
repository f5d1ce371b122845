//! What bytes without a known beginning betray: a damaged header of a known form, or no samples at all.
//!
//! A stream of no known form is taken for raw samples where the user allows that. A recording whose
//! header is damaged must not become sound that way: a file of these bytes is refused.

use super::sniff::{SOUNDS, adts_frame_bytes, mp3_frame_bytes};
/// Bytes that are looked at before a stream is taken for raw samples.
pub(super) const HEAD_BYTES: usize = 8192;
/// Bytes in which the parts of a header are searched.
const HEADER_BYTES: usize = 512;
/// Places at which coded frames may begin.
const FRAME_STARTS: usize = 1024;
/// Coded frames that follow each other; chance makes no such chain.
const FRAMES: usize = 4;

/// Parts of headers, four bytes at least, and the form that they belong to. The more particular ones
/// come first.
const MARKS: [(&[u8], &str); 37] = [
    (b"\xF3\xAC\xD3\x11\x8C\xD1\x00\xC0\x4F\x8E\xDB\x8A", "W64"),
    (b"\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00", "W64"),
    (b"\xA6\xD9\x00\xAA\x00\x62\xCE\x6C", "WMA (ASF)"),
    (b"\xCF\x11\x8E\xE4\x00\xC0\x0C\x20\x53\x65", "WMA (ASF)"),
    (b"matroska", "Matroska"),
    (b"webm", "WebM"),
    (b"\x1A\x45\xDF\xA3", "Matroska"),
    (b"OggS", "Ogg"),
    (b"vorbis", "Ogg Vorbis"),
    (b"OpusHead", "Opus"),
    (b"fLaC", "FLAC"),
    (b"reference libFLAC", "FLAC"),
    (b"ftyp", "MP4"),
    (b"moov", "MP4"),
    (b"mdat", "MP4"),
    (b"mvhd", "MP4"),
    (b"desc\0\0\0\0\0\0\0\x20", "CAF"),
    (b"caff", "CAF"),
    (b"lpcm", "CAF"),
    (b"pakt", "CAF"),
    (b"AIFF", "AIFF"),
    (b"AIFC", "AIFF-C"),
    (b"COMM", "AIFF"),
    (b"SSND", "AIFF"),
    (b"RIFF", "WAV"),
    (b"RIFX", "WAV"),
    (b"RF64", "RF64"),
    (b"BW64", "BW64"),
    (b"ds64", "RF64"),
    (b"WAVE", "WAV"),
    (b"fmt ", "WAV"),
    (b"data", "WAV"),
    (b"LAME3", "MP3"),
    (b"Lavf", "a recording written by ffmpeg"),
    (b"\"dtype\":", "an offkey model"),
    (b"JFIF", "a JPEG picture"),
    (b"IHDR", "a PNG picture"),
];
/// Beginnings of forms that are decoded, beside [`SOUNDS`].
const BEGINNINGS: [(&[u8], &str); 8] = [
    (b"riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1\x00\x00", "W64"),
    (b"fLaC", "FLAC"),
    (b"OggS", "Ogg"),
    (b"caff", "CAF"),
    (b"RIFF", "WAV"),
    (b"RIFX", "WAV"),
    (b"RF64", "RF64"),
    (b"\x1A\x45\xDF\xA3", "Matroska"),
];

/// Why these first bytes of a stream are no raw samples, where they are none: at most
/// [`HEAD_BYTES`], fewer only of a stream that has ended.
pub(super) fn not_raw(bytes: &[u8]) -> Option<String> {
    if let Some(name) = form(bytes) {
        return Some(format!("it looks like {name} with a damaged beginning"));
    }
    let looks_packed = bytes.len() >= HEAD_BYTES && is_evenly_spread(&bytes[..HEAD_BYTES]);
    looks_packed
        .then(|| "its bytes are spread evenly, as packed data are and sound is not".to_owned())
}

fn form(bytes: &[u8]) -> Option<&'static str> {
    let header = &bytes[..bytes.len().min(HEADER_BYTES)];
    let holds = |mark: &[u8]| header.windows(mark.len()).any(|window| window == mark);
    let marked = MARKS.iter().find(|(mark, _)| holds(mark)).map(|(_, name)| *name);
    marked.or_else(|| nearly(header)).or_else(|| flac_header(header)).or_else(|| frames(bytes))
}

/// A form whose beginning is there but for one byte. Zeros count as nothing: silence has them.
fn nearly(bytes: &[u8]) -> Option<&'static str> {
    let is_near = |at: usize, magic: &[u8]| {
        let Some(found) = bytes.get(at..at + magic.len()) else { return false };
        let alike = found.iter().zip(magic).filter(|(a, b)| a == b && **a != 0).count();
        alike >= 3 && alike + 1 >= magic.iter().filter(|byte| **byte != 0).count()
    };
    let decoded = BEGINNINGS.iter().find(|(magic, _)| is_near(0, magic)).map(|(_, name)| *name);
    let known =
        || SOUNDS.iter().find(|(at, magic, _)| is_near(*at, magic)).map(|(_, _, name)| *name);
    decoded.or_else(known)
}

/// FLAC's description of its sound, which stands behind the first four bytes: 34 bytes long, and the
/// sizes of blocks that it names are no smaller than 16 samples.
fn flac_header(bytes: &[u8]) -> Option<&'static str> {
    let [0 | 0x80, 0, 0, 34, least_high, least_low, most_high, most_low] =
        *bytes.get(4..12)?.first_chunk::<8>()?
    else {
        return None;
    };
    let least = u16::from_be_bytes([least_high, least_low]);
    let most = u16::from_be_bytes([most_high, most_low]);
    (least >= 16 && most >= least).then_some("FLAC")
}

/// MPEG audio or ADTS frames, one behind the other from anywhere near the beginning on.
fn frames(bytes: &[u8]) -> Option<&'static str> {
    let head = |at: usize| bytes.get(at..)?.first_chunk::<6>().copied();
    let chain = |at: usize, length_of: &dyn Fn([u8; 6]) -> Option<u64>| {
        let Some(first) = head(at) else { return false };
        let mut place = at;
        (0..FRAMES).all(|_| {
            let Some(next) = head(place) else { return false };
            let alike =
                next[0] == first[0] && next[1] == first[1] && next[2] & 0xC == first[2] & 0xC;
            let length = length_of(next).filter(|_| alike && next[0] == 0xFF);
            place += length.map_or(0, |length| length as usize);
            length.is_some()
        })
    };
    let starts = || 0..FRAME_STARTS.min(bytes.len());
    if starts().any(|at| chain(at, &mp3_frame_bytes)) {
        return Some("MP3");
    }
    starts().any(|at| chain(at, &adts_frame_bytes)).then_some("AAC")
}

/// Whether all bytes are equally frequent and neighbouring samples have nothing to do with each other:
/// packed or enciphered data. Loud noise has more bytes near zero, a tone has order.
fn is_evenly_spread(bytes: &[u8]) -> bool {
    /// Random bytes have 255 of this, give or take 23; the widest noise that sound can be has 1,600.
    const MOST_UNEVEN: f64 = 800.0;
    /// Random bytes have 0, give or take 0.016.
    const MOST_ORDER: f64 = 0.1;
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let expected = bytes.len() as f64 / 256.0;
    let uneven: f64 =
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let samples: Vec<f64> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| f64::from(i16::from_le_bytes(*pair)) / 32_768.0)
        .collect();
    let power: f64 = samples.iter().map(|sample| sample * sample).sum();
    let order: f64 = samples.windows(2).map(|pair| pair[0] * pair[1]).sum();
    uneven < MOST_UNEVEN && order.abs() < MOST_ORDER * power
}
