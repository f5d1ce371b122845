//! What all layers of an encoder have or lack alike.

/// Channels per hidden unit of a squeeze-and-excitation layer.
pub const SQUEEZE_RATIO: usize = 16;
/// Side of the first convolution's kernel over a spectrogram.
pub const STEM_KERNEL: usize = 7;

/// What all layers of an encoder have or lack alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// Whether convolutions and dense layers have a bias.
    pub bias: bool,
    /// Whether batch normalisation has a trained scale and shift.
    pub batch_norm_affine: bool,
    /// Whether there are squeeze-and-excitation layers.
    pub squeeze_excitation: bool,
}

impl Switches {
    /// Whether the fast kernels have all of this: they lack biases and squeeze-and-excitation, for
    /// which the plain layers are taken.
    pub fn suit_kernels(self) -> bool {
        !self.bias && !self.squeeze_excitation
    }
}
