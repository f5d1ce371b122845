//! A fingerprint's form for keeping: a few of its frames.

/// Frames that are kept of a sound of usual length: one in so many.
const STRIDE: usize = 8;
/// Of a short sound more are kept, for there are few.
const SHORT_STRIDE: usize = 2;
const SHORT_FRAMES: usize = 256;
/// Most frames that are kept of one sound, 64 kilobytes.
const MOST_KEPT: usize = 16_384;
/// No sound is so long that fewer are kept: its frames could not be counted.
const LARGEST_STRIDE: usize = 1 << 24;

/// Some frames of a fingerprint, at equal distances. No sound can be made of it.
///
/// It takes 31 bytes per second of sound at 16 kHz, and at most 64 kilobytes: of sound of more than 35 minutes fewer
/// frames are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseFingerprint {
    /// Bits of the frames that are kept; 0: nothing was heard.
    pub(super) bits: Vec<u32>,
    /// Frames from one that is kept to the next.
    pub(super) stride: usize,
    /// Samples from one frame to the next, and their rate.
    pub(super) hop: usize,
    pub(super) rate_hz: u32,
}

impl SparseFingerprint {
    /// Every so many of the frames of a sound.
    pub(super) fn of(frames: &[u32], hop: usize, rate_hz: u32) -> Self {
        let mut stride = if frames.len() < SHORT_FRAMES { SHORT_STRIDE } else { STRIDE };
        while frames.len().div_ceil(stride) > MOST_KEPT {
            stride *= 2;
        }
        let bits = frames.iter().step_by(stride).copied().collect();
        Self { bits, stride, hop, rate_hz }
    }

    /// One that was kept; nothing where it cannot be one of sound of this rate.
    pub fn restored(bits: Vec<u32>, stride: u32, rate_hz: u32) -> Option<Self> {
        let stride = usize::try_from(stride).ok()?;
        let is_sound = bits.len() <= MOST_KEPT
            && stride.is_power_of_two()
            && (SHORT_STRIDE..=LARGEST_STRIDE).contains(&stride);
        let hop = super::frame_of(rate_hz) / super::OVERLAP;
        is_sound.then_some(Self { bits, stride, hop, rate_hz })
    }

    /// Seconds from one frame to the next.
    pub(super) fn hop_s(&self) -> f64 {
        self.hop as f64 / f64::from(self.rate_hz.max(1))
    }

    /// Bits of the frames that are kept.
    pub fn bits(&self) -> &[u32] {
        &self.bits
    }

    /// Frames from one that is kept to the next.
    pub fn stride(&self) -> u32 {
        self.stride as u32
    }
}
