//! What a coding is called that is not decoded, by what its container says.

use super::{
    bytes::{FileBytes, Input, all_there},
    info::Container,
};
use crate::AudioError;
use std::{ops::Range, path::Path};

/// Bytes in which a container names its coding.
const HEAD_BYTES: usize = 1 << 16;
/// Boxes of MP4 that are passed until the one with the description.
const MOST_BOXES: usize = 100;

/// The part of a file in which it says how its sound is coded.
pub(super) struct Description {
    container: Container,
    bytes: Vec<u8>,
}

impl Description {
    /// Reads it.
    pub(super) fn read(
        path: &Path,
        input: &mut dyn Input,
        container: Container,
        place: &Range<u64>,
    ) -> Result<Self, AudioError> {
        use super::bytes::Bytes;
        let mut file = FileBytes { path, input };
        let mut start = place.start;
        if container == Container::Mp4 {
            for _ in 0..MOST_BOXES {
                let Some(head) = all_there(path, file.array_at::<16>(start))? else { break };
                let [a, b, c, d, kind @ ..] = head;
                let [e, f, g, h, long @ ..] = kind;
                let size = match u32::from_be_bytes([a, b, c, d]) {
                    1 => u64::from_be_bytes(long),
                    size => size.into(),
                };
                if [e, f, g, h] == *b"moov" || size < 8 {
                    break;
                }
                start = start.saturating_add(size);
            }
        }
        let mut bytes = vec![0; HEAD_BYTES];
        let found = all_there(path, file.read_at(start, &mut bytes))?;
        bytes.truncate(found);
        Ok(Self { container, bytes })
    }

    /// The coding's name, where the container says it.
    pub(super) fn coding(&self) -> Option<String> {
        let behind = |mark: &[u8], skipped: usize| {
            let at = self.bytes.windows(mark.len()).position(|window| window == mark)?;
            self.bytes.get(at + mark.len() + skipped..)
        };
        match self.container {
            Container::Mp4 => {
                // Behind the name: version, number of entries, size of the first.
                let id = *behind(b"stsd", 12)?.first_chunk::<4>()?;
                Some(by_id(id))
            }
            Container::Caf => {
                let id = *behind(b"desc", 16)?.first_chunk::<4>()?;
                Some(by_id(id))
            }
            Container::Matroska => self.matroska(),
            _ => None,
        }
    }

    /// Matroska names codings `A_…`: some by what other containers call them.
    fn matroska(&self) -> Option<String> {
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'.');
        // The element's number, its length in one byte, the name.
        let at =
            self.bytes.windows(4).position(|w| w[0] == 0x86 && w[1] > 0x80 && &w[2..] == b"A_")?;
        let name = &self.bytes[at + 2..];
        let name = &name[..name.iter().take_while(|byte| is_name(byte)).count()];
        let private = || {
            let rest = self.bytes.get(at..)?;
            let at = rest.windows(2).position(|window| window == b"\x63\xA2")?;
            rest.get(at + 3..)
        };
        Some(match name {
            b"A_MS/ACM" => match private().and_then(|body| body.first_chunk::<2>().copied()) {
                Some(tag) => by_tag(u16::from_le_bytes(tag)),
                None => "Microsoft's form of another coding".to_owned(),
            },
            b"A_QUICKTIME" => {
                match private().and_then(|body| body.get(4..8)?.first_chunk::<4>().copied()) {
                    Some(id) => by_id(id),
                    None => "QuickTime's form of another coding".to_owned(),
                }
            }
            b"A_EAC3" => "E-AC-3".to_owned(),
            b"A_AC3" => "AC-3".to_owned(),
            b"A_DTS" => "DTS".to_owned(),
            b"A_MPEG/L2" => "MPEG layer II".to_owned(),
            b"A_MPEG/L1" => "MPEG layer I".to_owned(),
            b"A_TTA1" => "True Audio".to_owned(),
            b"A_WAVPACK4" => "WavPack".to_owned(),
            b"A_OPUS" => "Opus".to_owned(),
            b"A_TRUEHD" => "TrueHD".to_owned(),
            other => other.escape_ascii().to_string(),
        })
    }
}

/// A coding by the number that the WAV family and Microsoft's other formats give it.
pub(super) fn by_tag(tag: u16) -> String {
    let name = match tag {
        2 => "Microsoft ADPCM",
        6 => "A-law",
        7 => "mu-law",
        0x11 => "IMA ADPCM",
        0x20 => "Yamaha ADPCM",
        0x28F | 0x64 | 0x65 => "G.722",
        0x31 => "GSM",
        0x45 => "G.726",
        0x50 => "MPEG layer II",
        0x55 => "MP3",
        0xFF | 0x1610 => "AAC",
        0x160..=0x163 => "WMA",
        0x2000 => "AC-3",
        0x2001 => "DTS",
        0x674F..=0x6771 | 0x566F => "Vorbis",
        0xA109 => "Speex",
        0xF1AC => "FLAC",
        _ => return format!("number {tag:#06x}"),
    };
    name.to_owned()
}

/// A coding by the four letters that Apple's formats give it.
fn by_id(id: [u8; 4]) -> String {
    if let [b'm', b's', high, low] = id {
        return by_tag(u16::from_be_bytes([high, low]));
    }
    let name = match &id {
        b"ima4" => "IMA ADPCM",
        b"alac" => "ALAC",
        b"alaw" | b"ALAW" => "A-law",
        b"ulaw" | b"ULAW" => "mu-law",
        b"ac-3" | b"AC-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"agsm" => "GSM",
        b"dtsc" | b"DTS " => "DTS",
        b".mp1" => "MPEG layer I",
        b".mp2" => "MPEG layer II",
        b".mp3" => "MP3",
        b"G722" => "G.722",
        b"g726" => "G.726",
        b"OggV" => "Vorbis",
        b"opus" | b"Opus" => "Opus",
        b"flac" | b"fLaC" => "FLAC",
        b"SPXN" | b"spex" => "Speex",
        b"WMA2" => "WMA",
        b"mp4a" | b"aac " => "AAC or another coding of MPEG-4",
        b"samr" => "AMR",
        b"MAC3" | b"MAC6" => "MACE",
        other => return format!("`{}`", other.escape_ascii()),
    };
    name.to_owned()
}
