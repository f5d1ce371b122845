//! Raw samples: the kinds there are, and their way to floating point.

use serde::{Deserialize, Serialize};

/// Form of a byte stream's samples where no header tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcmFormat {
    /// Samples per second and channel.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: u16,
    /// Kind of one sample, little endian.
    pub sample: SampleKind,
}

/// Kind of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleKind {
    /// 8-bit unsigned integer, silence at 128.
    U8,
    /// 8-bit signed integer.
    I8,
    /// 16-bit integer.
    I16,
    /// 24-bit integer in three bytes.
    I24,
    /// 24-bit integer in the lower three of four bytes (ALSA's `S24_LE`).
    I24In32,
    /// 32-bit integer, or a shorter one in its upper bits.
    I32,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// Eight bits with logarithmic steps, as European telephones have (G.711).
    ALaw,
    /// Eight bits with logarithmic steps, as American telephones have (G.711).
    MuLaw,
}

/// Order of a sample's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

impl SampleKind {
    /// Bytes that one sample takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::ALaw | Self::MuLaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I24In32 | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Bits that carry sound.
    pub fn bits(self) -> u16 {
        match self {
            Self::I24In32 => 24,
            kind => 8 * kind.bytes() as u16,
        }
    }

    /// Whether samples are floating point, and so may be no finite number.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Appends samples as floating point, full scale at 1. Bytes that make no whole sample are
    /// passed over.
    pub(crate) fn append(self, order: ByteOrder, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::U8 => out.extend(bytes.iter().map(|byte| (f32::from(*byte) - 128.0) / 128.0)),
            Self::I8 => {
                out.extend(bytes.iter().map(|byte| f32::from(byte.cast_signed()) / 128.0));
            }
            Self::I16 => {
                let samples = words(order, bytes).map(i16::from_le_bytes);
                out.extend(samples.map(|sample| f32::from(sample) / 32_768.0));
            }
            Self::I24 => {
                out.extend(words(order, bytes).map(|[a, b, c]| of_24_bits([a, b, c])));
            }
            Self::I24In32 => {
                out.extend(words(order, bytes).map(|[a, b, c, _]| of_24_bits([a, b, c])));
            }
            Self::I32 => {
                let samples = words(order, bytes).map(i32::from_le_bytes);
                out.extend(samples.map(|sample| sample as f32 / 2_147_483_648.0));
            }
            Self::F32 => out.extend(words(order, bytes).map(f32::from_le_bytes)),
            Self::F64 => {
                out.extend(words(order, bytes).map(|word| f64::from_le_bytes(word) as f32));
            }
            Self::ALaw => {
                out.extend(bytes.iter().map(|byte| f32::from(of_a_law(*byte)) / 32_768.0));
            }
            Self::MuLaw => {
                out.extend(bytes.iter().map(|byte| f32::from(of_mu_law(*byte)) / 32_768.0));
            }
        }
    }
}

/// The middle of the step that an A-law byte stands for, at 16 bits: every other bit is inverted; then
/// sign, three bits of exponent, four of mantissa.
fn of_a_law(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let (exponent, mantissa) = (bits >> 4 & 7, i16::from(bits & 15) << 4);
    let level = match exponent {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    if bits & 0x80 == 0 { -level } else { level }
}

/// As [`of_a_law`], of a mu-law byte: all bits are inverted, and 33 quarter steps are added before coding.
fn of_mu_law(byte: u8) -> i16 {
    let bits = !byte;
    let level = (((i16::from(bits & 15) << 3) + 0x84) << (bits >> 4 & 7)) - 0x84;
    if bits & 0x80 == 0 { level } else { -level }
}

fn of_24_bits([a, b, c]: [u8; 3]) -> f32 {
    (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0
}

/// The bytes of whole samples, least significant first.
fn words<const N: usize>(order: ByteOrder, bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().map(move |word| {
        let mut word = *word;
        if order == ByteOrder::Big {
            word.reverse();
        }
        word
    })
}

/// A sample in -1 to 1 as a 16-bit level; louder ones are cut off, undefined ones silent.
pub(crate) fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_full_scale_is_a_half_in_every_kind_and_order() {
        use SampleKind::{F32, F64, I8, I16, I24, I24In32, I32, U8};
        let cases: [(SampleKind, &[u8]); 8] = [
            (U8, &[64]),
            (I8, &[0xC0]),
            (I16, &[0, 0xC0]),
            (I24, &[0, 0, 0xC0]),
            (I24In32, &[0, 0, 0xC0, 0xFF]),
            (I32, &[0, 0, 0, 0xC0]),
            (F32, &(-0.5_f32).to_le_bytes()),
            (F64, &(-0.5_f64).to_le_bytes()),
        ];
        for (kind, little) in cases {
            let big: Vec<u8> = little.iter().rev().copied().collect();
            let mut out = Vec::new();
            kind.append(ByteOrder::Little, little, &mut out);
            kind.append(ByteOrder::Big, &big, &mut out);
            assert_eq!(out, [-0.5, -0.5], "{kind:?}");
            assert_eq!(kind.bytes(), little.len());
        }
    }

    #[test]
    fn logarithmic_bytes_are_the_levels_of_the_recommendation() {
        // The loudest, the quietest, and where the sign changes, from the tables of G.711.
        let a_law = [(0xD5, 8), (0x55, -8), (0xAA, 32_256), (0x2A, -32_256), (0x80, 5504)];
        for (byte, level) in a_law {
            assert_eq!(of_a_law(byte), level, "{byte:#x}");
        }
        let mu_law = [(0xFF, 0), (0x7F, 0), (0x80, 32_124), (0x00, -32_124), (0xAA, 5372)];
        for (byte, level) in mu_law {
            assert_eq!(of_mu_law(byte), level, "{byte:#x}");
        }
    }
}
