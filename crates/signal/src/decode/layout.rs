//! How samples lie in their frames, from header fields that may contradict each other.

use std::path::Path;

use super::{
    Codec,
    bytes::{Bytes, Stop},
    malformed, unsupported,
};
use crate::{
    AudioError,
    pcm::{ByteOrder, PcmFormat, SampleKind},
};

/// Rates that a recording may have, in hertz. Outside lies nothing that a microphone gives, and the
/// cost of converting a rate grows with the ratio.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Frames looked at together when it is decided where 24 bits lie in 32.
const DECISION_BYTES: usize = 1 << 14;
/// Silent stretches passed before the question is given up.
const MOST_DECISIONS: u32 = 256;

/// Frames of uncompressed sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layout {
    pub(super) channels: u16,
    pub(super) rate_hz: u32,
    pub(super) frame_bytes: usize,
    pub(super) kind: SampleKind,
    pub(super) order: ByteOrder,
    /// Whether the header calls 24 of 32 bits valid without saying which.
    pub(super) which_24: bool,
}

/// The fields of a header, as they stand there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) channels: u16,
    pub(super) rate_hz: u32,
    pub(super) bytes_per_s: u32,
    pub(super) frame_bytes: u16,
    pub(super) bits: u16,
    pub(super) valid_bits: u16,
    pub(super) float: bool,
}

impl Layout {
    /// The `fmt ` chunk of the RIFF family, its body at `place`.
    pub(super) fn of_wave(
        path: &Path,
        bytes: &mut impl Bytes,
        place: u64,
        size: u64,
        order: ByteOrder,
    ) -> Result<Self, Stop> {
        let mut body = [0; 40];
        let wanted = usize::try_from(size).unwrap_or(usize::MAX).min(body.len());
        let found = bytes.read_at(place, &mut body[..wanted])?;
        if found < 16 {
            let what = format!("its `fmt ` chunk has {found} bytes, expected 16");
            return Err(malformed(path, what).into());
        }
        let short = |at: usize| order.u16([body[at], body[at + 1]]);
        let long = |at: usize| order.u32([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        // An extensible header keeps the true tag in the first bytes of its sub-format.
        let extended = short(0) == 0xFFFE && found == 40;
        let tag = if extended { short(24) } else { short(0) };
        let (channels, rate_hz, bits) = (short(2), long(4), short(14));
        if !matches!(tag, 1 | 3) {
            let expected = "PCM or floating point";
            return Err(unsupported(path, "the coding", coding_name(tag), expected).into());
        }
        check_form(path, channels, rate_hz)?;
        let fields = Fields {
            channels,
            rate_hz,
            bytes_per_s: long(8),
            frame_bytes: short(12),
            bits,
            valid_bits: if extended { short(18) } else { bits },
            float: tag == 3,
        };
        Ok(fields.layout(path, order)?)
    }

    /// Raw samples, as the user says they are.
    pub(super) fn of_raw(path: &Path, raw: PcmFormat) -> Result<Self, AudioError> {
        check_form(path, raw.channels, raw.rate_hz)?;
        Ok(Self {
            channels: raw.channels,
            rate_hz: raw.rate_hz,
            frame_bytes: raw.sample.bytes() * usize::from(raw.channels),
            kind: raw.sample,
            order: ByteOrder::Little,
            which_24: false,
        })
    }

    pub(super) fn codec(&self) -> Codec {
        match self.kind {
            SampleKind::F32 | SampleKind::F64 => Codec::Float(self.kind.bits()),
            kind => Codec::Integer(kind.bits()),
        }
    }

    /// Bytes of a stretch over which [`Layout::decide`] is asked.
    pub(super) fn decision_bytes(&self) -> usize {
        (DECISION_BYTES / self.frame_bytes).max(1) * self.frame_bytes
    }

    /// Settles where 24 bits lie in 32 by the next stretch of the sound, the `count`-th.
    ///
    /// In the upper three bytes the lowest byte is always zero; in the lower three (ALSA's
    /// `S24_LE`) the highest byte repeats the sign. A silent stretch says nothing: it is the same
    /// either way. What fits neither fills all 32 bits.
    pub(super) fn decide(&mut self, stretch: &[u8], count: u32) {
        let little = self.order == ByteOrder::Little;
        let word = |w: &[u8; 4]| {
            if little { i32::from_le_bytes(*w) } else { i32::from_be_bytes(*w) }
        };
        let words = || stretch.as_chunks::<4>().0.iter().map(word);
        let silent = words().all(|sample| sample == 0);
        let sign_alone = words().all(|sample| sample << 8 >> 8 == sample);
        let low_byte_used = words().any(|sample| sample & 0xFF != 0);
        if sign_alone && low_byte_used {
            self.kind = SampleKind::I24In32;
        }
        self.which_24 = silent && count < MOST_DECISIONS;
    }
}

impl Fields {
    /// Resolves what the fields say of a frame's size. Where bits and frame size do not go together,
    /// the byte rate has the casting vote.
    pub(super) fn layout(self, path: &Path, order: ByteOrder) -> Result<Layout, AudioError> {
        let Self { channels, rate_hz, bytes_per_s, frame_bytes, bits, .. } = self;
        let packed = u32::from(channels) * u32::from(bits.div_ceil(8));
        let stated = u32::from(frame_bytes);
        let votes_for =
            |bytes: u32| u64::from(bytes_per_s) == u64::from(rate_hz) * u64::from(bytes);
        let holds_all = stated.is_multiple_of(channels.into()) && stated > packed;
        let frame_bytes = match () {
            () if packed == 0 => None,
            () if stated == packed => Some(packed),
            () if holds_all && votes_for(stated) => Some(stated),
            () if votes_for(packed) => Some(packed),
            () => None,
        };
        let frame_bytes = frame_bytes.ok_or_else(|| {
            let what = format!(
                "its header contradicts itself: {channels} channels of {bits} bits, {stated} bytes \
                 per frame, {bytes_per_s} bytes per second at {rate_hz} Hz"
            );
            malformed(path, what)
        })?;
        let sample_bytes = frame_bytes / u32::from(channels);
        let kind = match (self.float, sample_bytes) {
            (false, 1) => SampleKind::U8,
            (false, 2) => SampleKind::I16,
            (false, 3) => SampleKind::I24,
            (false, 4) => SampleKind::I32,
            (true, 4) => SampleKind::F32,
            (true, 8) => SampleKind::F64,
            _ => {
                let found = format!("{} bits", 8 * sample_bytes);
                let expected = "8, 16, 24, 32 or float 32, 64";
                return Err(unsupported(path, "samples of", found, expected));
            }
        };
        let which_24 = kind == SampleKind::I32 && self.valid_bits == 24;
        let frame_bytes = frame_bytes as usize;
        Ok(Layout { channels, rate_hz, frame_bytes, kind, order, which_24 })
    }
}

/// Refuses channels and rates that no recording has.
pub(super) fn check_form(path: &Path, channels: u16, rate_hz: u32) -> Result<(), AudioError> {
    if channels == 0 {
        return Err(malformed(path, format!("its header says 0 channels at {rate_hz} Hz")));
    }
    if !RATES_HZ.contains(&rate_hz) {
        let found = format!("{rate_hz} Hz");
        return Err(unsupported(path, "a rate of", found, "between 1 kHz and 768 kHz"));
    }
    Ok(())
}

fn coding_name(tag: u16) -> String {
    match tag {
        2 => "Microsoft ADPCM".to_owned(),
        6 => "A-law".to_owned(),
        7 => "mu-law".to_owned(),
        0x11 => "IMA ADPCM".to_owned(),
        0x31 => "GSM".to_owned(),
        0x50 => "MPEG layer II".to_owned(),
        0x55 => "MP3".to_owned(),
        0xFF | 0x1610 => "AAC".to_owned(),
        _ => format!("{tag:#06x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(channels: u16, bits: u16, frame_bytes: u16, bytes_per_s: u32) -> Option<Layout> {
        let fields = Fields {
            channels,
            rate_hz: 8_000,
            bytes_per_s,
            frame_bytes,
            bits,
            valid_bits: bits,
            float: false,
        };
        fields.layout(Path::new("x"), ByteOrder::Little).ok()
    }

    #[test]
    fn the_byte_rate_settles_a_contradiction_and_nothing_else_does() {
        let kind = |layout: Option<Layout>| layout.map(|l| (l.kind, l.frame_bytes, l.which_24));
        let wide = Some((SampleKind::I32, 4, true));
        assert_eq!(kind(layout(1, 24, 4, 32_000)), wide);
        assert_eq!(kind(layout(1, 16, 4, 16_000)), Some((SampleKind::I16, 2, false)));
        assert_eq!(kind(layout(1, 24, 4, 12_345)), None);
        assert_eq!(kind(layout(2, 16, 3, 24_000)), None);
        assert_eq!(kind(layout(1, 16, 2, 0)), Some((SampleKind::I16, 2, false)));
        assert_eq!(kind(layout(1, 0, 0, 0)), None);
    }

    #[test]
    fn twenty_four_bits_are_found_in_either_half() {
        let sound: Vec<i32> = (0..100).map(|n| (n * 7_919 % 2_000_000) - 1_000_000).collect();
        let bytes =
            |words: Vec<i32>| -> Vec<u8> { words.into_iter().flat_map(i32::to_le_bytes).collect() };
        let decided = |stretches: &[Vec<u8>]| {
            let mut layout = layout(1, 24, 4, 32_000).expect("a layout");
            for (count, stretch) in (1..).zip(stretches) {
                layout.decide(stretch, count);
            }
            (layout.kind, layout.which_24)
        };
        let silence = vec![0; 400];
        let low = bytes(sound.clone());
        let high = bytes(sound.iter().map(|sample| sample << 8).collect());
        let full = bytes(sound.iter().map(|sample| sample << 8 | 5).collect());
        assert_eq!(decided(std::slice::from_ref(&silence)), (SampleKind::I32, true));
        assert_eq!(decided(&[silence.clone(), low]), (SampleKind::I24In32, false));
        assert_eq!(decided(&[silence, high]), (SampleKind::I32, false));
        assert_eq!(decided(&[full]), (SampleKind::I32, false));
    }
}
