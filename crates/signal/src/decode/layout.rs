//! How samples lie in their frames, from header fields that may contradict each other.
//!
//! Sound is read in units: the smallest parts that can be decoded alone. A unit is a frame, or a block of
//! ADPCM.

use std::path::Path;

use super::{
    adpcm::Adpcm,
    bytes::{Bytes, Stop},
    coding::by_tag,
    info::Codec,
    refusal::{malformed, unsupported},
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

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Coding {
    /// One by one.
    Samples(SampleKind),
    /// In blocks.
    Blocks(Adpcm),
}

/// Frames of sound that needs no decoder with a memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layout {
    pub(super) channels: u16,
    pub(super) rate_hz: u32,
    /// Bytes of a unit, and the frames in it; both at least one.
    pub(super) unit_bytes: usize,
    /// See `unit_bytes`.
    pub(super) unit_frames: usize,
    pub(super) coding: Coding,
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
    pub(super) kind: Kind,
}

/// What a header says of the samples beside their bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Integer,
    Float,
    ALaw,
    MuLaw,
}

/// A unit that cannot be decoded.
pub(super) struct BadUnit {
    /// Whole units before it.
    pub(super) before: usize,
    pub(super) what: String,
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
        check_form(path, channels, rate_hz)?;
        let kind = match tag {
            1 => Kind::Integer,
            3 => Kind::Float,
            6 => Kind::ALaw,
            7 => Kind::MuLaw,
            2 | 0x11 if order == ByteOrder::Little => {
                let coding = if tag == 2 { Adpcm::Microsoft } else { Adpcm::Ima };
                // The first field behind the usual ones and their length.
                let stated = if found >= 20 { short(18) } else { 0 };
                return Ok(Self::of_blocks(path, coding, channels, rate_hz, short(12), stated)?);
            }
            _ => {
                let expected = "PCM, floating point, A-law, mu-law, or IMA or Microsoft ADPCM";
                let big = if order == ByteOrder::Big { "big-endian " } else { "" };
                let found = format!("{big}{}", by_tag(tag));
                return Err(unsupported(path, "the coding", found, expected).into());
            }
        };
        let fields = Fields {
            channels,
            rate_hz,
            bytes_per_s: long(8),
            frame_bytes: short(12),
            bits,
            valid_bits: if extended { short(18) } else { bits },
            kind,
        };
        Ok(fields.layout(path, order)?)
    }

    /// Blocks of ADPCM, of which the header says how many frames each holds, or zero.
    fn of_blocks(
        path: &Path,
        coding: Adpcm,
        channels: u16,
        rate_hz: u32,
        block_bytes: u16,
        stated: u16,
    ) -> Result<Self, AudioError> {
        let unit_bytes = usize::from(block_bytes);
        let room = coding.frames(channels, unit_bytes);
        let stated = usize::from(stated);
        let Some(room) = room.filter(|room| stated <= *room) else {
            let what = format!(
                "its header contradicts itself: ADPCM with {channels} channel(s), {block_bytes} byte(s) per \
                 block and {stated} frame(s) per block"
            );
            return Err(malformed(path, what));
        };
        let unit_frames = if stated == 0 { room } else { stated };
        let (coding, order) = (Coding::Blocks(coding), ByteOrder::Little);
        Ok(Self { channels, rate_hz, unit_bytes, unit_frames, coding, order, which_24: false })
    }

    /// Raw samples, as the user says they are.
    pub(super) fn of_raw(path: &Path, raw: PcmFormat) -> Result<Self, AudioError> {
        check_form(path, raw.channels, raw.rate_hz)?;
        Ok(Self {
            channels: raw.channels,
            rate_hz: raw.rate_hz,
            unit_bytes: raw.sample.bytes() * usize::from(raw.channels),
            unit_frames: 1,
            coding: Coding::Samples(raw.sample),
            order: ByteOrder::Little,
            which_24: false,
        })
    }

    pub(super) fn codec(&self) -> Codec {
        match self.coding {
            Coding::Samples(kind @ (SampleKind::F32 | SampleKind::F64)) => {
                Codec::Float(kind.bits())
            }
            Coding::Samples(SampleKind::ALaw) => Codec::ALaw,
            Coding::Samples(SampleKind::MuLaw) => Codec::MuLaw,
            Coding::Samples(kind) => Codec::Integer(kind.bits()),
            Coding::Blocks(_) => Codec::Adpcm,
        }
    }

    /// Frames in so many bytes; what is no whole unit is none.
    pub(super) fn frames(&self, bytes: u64) -> u64 {
        bytes / self.unit_bytes as u64 * self.unit_frames as u64
    }

    /// Appends the frames of whole units, interleaved, full scale at 1; before an error, those in front
    /// of it. Bytes that make no whole unit are passed over.
    pub(super) fn append(&self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), BadUnit> {
        match self.coding {
            Coding::Samples(kind) => kind.append(self.order, bytes, out),
            Coding::Blocks(adpcm) => {
                for (before, block) in bytes.chunks_exact(self.unit_bytes).enumerate() {
                    adpcm
                        .append(self.channels, self.unit_frames, block, out)
                        .map_err(|what| BadUnit { before, what })?;
                }
            }
        }
        Ok(())
    }

    /// Bytes of a stretch over which [`Layout::decide`] is asked.
    pub(super) fn decision_bytes(&self) -> usize {
        (DECISION_BYTES / self.unit_bytes).max(1) * self.unit_bytes
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
            self.coding = Coding::Samples(SampleKind::I24In32);
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
        let kind = match (self.kind, sample_bytes) {
            (Kind::Integer, 1) => SampleKind::U8,
            (Kind::Integer, 2) => SampleKind::I16,
            (Kind::Integer, 3) => SampleKind::I24,
            (Kind::Integer, 4) => SampleKind::I32,
            (Kind::Float, 4) => SampleKind::F32,
            (Kind::Float, 8) => SampleKind::F64,
            (Kind::ALaw, 1) => SampleKind::ALaw,
            (Kind::MuLaw, 1) => SampleKind::MuLaw,
            _ => {
                let found = format!("{} bits", 8 * sample_bytes);
                let expected = match self.kind {
                    Kind::Integer | Kind::Float => "8, 16, 24, 32 or float 32, 64",
                    Kind::ALaw | Kind::MuLaw => "8 bits, as A-law and mu-law have",
                };
                return Err(unsupported(path, "samples of", found, expected));
            }
        };
        let which_24 = kind == SampleKind::I32 && self.valid_bits == 24;
        let (unit_bytes, coding) = (frame_bytes as usize, Coding::Samples(kind));
        Ok(Layout { channels, rate_hz, unit_bytes, unit_frames: 1, coding, order, which_24 })
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
            kind: Kind::Integer,
        };
        fields.layout(Path::new("x"), ByteOrder::Little).ok()
    }

    #[test]
    fn the_byte_rate_settles_a_contradiction_and_nothing_else_does() {
        let kind = |layout: Option<Layout>| layout.map(|l| (l.coding, l.unit_bytes, l.which_24));
        let of = |kind, bytes, which_24| Some((Coding::Samples(kind), bytes, which_24));
        let wide = of(SampleKind::I32, 4, true);
        assert_eq!(kind(layout(1, 24, 4, 32_000)), wide);
        assert_eq!(kind(layout(1, 16, 4, 16_000)), of(SampleKind::I16, 2, false));
        assert_eq!(kind(layout(1, 24, 4, 12_345)), None);
        assert_eq!(kind(layout(2, 16, 3, 24_000)), None);
        assert_eq!(kind(layout(1, 16, 2, 0)), of(SampleKind::I16, 2, false));
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
            (layout.coding, layout.which_24)
        };
        let silence = vec![0; 400];
        let low = bytes(sound.clone());
        let high = bytes(sound.iter().map(|sample| sample << 8).collect());
        let full = bytes(sound.iter().map(|sample| sample << 8 | 5).collect());
        assert_eq!(
            decided(std::slice::from_ref(&silence)),
            (Coding::Samples(SampleKind::I32), true)
        );
        assert_eq!(decided(&[silence.clone(), low]), (Coding::Samples(SampleKind::I24In32), false));
        assert_eq!(decided(&[silence, high]), (Coding::Samples(SampleKind::I32), false));
        assert_eq!(decided(&[full]), (Coding::Samples(SampleKind::I32), false));
    }
}
