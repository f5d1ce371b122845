//! What the branch is told: the size of a spectrogram, the widths of the stages, and what can be wrong.

use crate::simd::{LANES, Level};

/// Size of the stem's square kernel.
pub(crate) const STEM_KERNEL: usize = 7;

/// Added to every variance before its root is taken; the paper's value.
pub const NORM_EPS: f32 = 1e-3;

/// The residual network over one spectrogram. The default is the paper's, for 10 s at 16 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpectrogramConfig {
    /// Frames of a spectrogram.
    pub frames: usize,
    /// Bins of a frame.
    pub bins: usize,
    /// Channels of the stem, a multiple of 16 and equal to the first stage's.
    pub stem_channels: usize,
    /// Stride of the stem over frames and over bins, each 1 to 4.
    pub stem_stride: [usize; 2],
    /// Channels of each stage, multiples of 16; every stage after the first halves both sides.
    pub stage_channels: Vec<usize>,
    /// Whether batch norms have a gain and a shift (`gamma` and `beta`) among the parameters.
    pub norm_affine: bool,
}

impl Default for SpectrogramConfig {
    fn default() -> Self {
        Self {
            frames: 311,
            bins: 513,
            stem_channels: 16,
            stem_stride: [2, 2],
            stage_channels: vec![16, 32, 64, 128],
            norm_affine: true,
        }
    }
}

/// Why the branch cannot be planned or run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpectrogramError {
    /// The engine computes channels in blocks of sixteen.
    #[error("{layer} has {found} channels, expected a positive multiple of {LANES}")]
    Channels {
        /// The layer that asked for them.
        layer: String,
        /// What it asked for.
        found: usize,
    },
    /// The first stage adds its input, so it is as wide as the stem.
    #[error("the first stage has {found} channels, expected the stem's {expected}")]
    FirstStage {
        /// Channels of the first stage.
        found: usize,
        /// Channels of the stem.
        expected: usize,
    },
    /// There is nothing after the stem.
    #[error("no stage was given, expected at least one")]
    NoStage,
    /// A stem stride that no kernel was made for.
    #[error("stem stride {found:?}, expected 1 to 4 in both directions")]
    StemStride {
        /// What was asked for.
        found: [usize; 2],
    },
    /// Nothing is left after the stem's pooling.
    #[error("{frames} frames of {bins} bins leave nothing after the stem")]
    TooSmall {
        /// Frames of a spectrogram.
        frames: usize,
        /// Bins of a frame.
        bins: usize,
    },
    /// The processor lacks the instruction set that was asked for.
    #[error("this processor has no {}", level.name())]
    Level {
        /// The instruction set.
        level: Level,
    },
    /// A slice has the wrong length.
    #[error("{what} has {found} values, expected {expected}")]
    Length {
        /// Which slice.
        what: String,
        /// Its length.
        found: usize,
        /// The length that the plan needs.
        expected: usize,
    },
    /// A list has the wrong number of entries.
    #[error("{found} {what}, expected {expected}")]
    Count {
        /// Entries of which list.
        what: &'static str,
        /// How many there were.
        found: usize,
        /// How many the plan needs.
        expected: usize,
    },
    /// Statistics over no clip do not exist.
    #[error("a batch without clips has no statistics")]
    NoClips,
    /// A backward pass without the forward pass it belongs to.
    #[error("the workspace holds no forward pass over {clips} clips")]
    NoForward {
        /// Clips of the gradient that was given.
        clips: usize,
    },
}
