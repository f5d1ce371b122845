//! What the branch is told: the length of a spectrum, the convolutions, and what can be wrong.

use crate::simd::Level;

/// Convolutions over one magnitude spectrum, each followed by a `ReLU`, "same" padding, no bias. The
/// default is the paper's, for 10 s at 16 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpectrumConfig {
    /// Bins of a spectrum.
    pub bins: usize,
    /// Channels of every convolution.
    pub filters: usize,
    /// Length of each convolution's kernel, in positions of its input.
    pub kernels: Vec<usize>,
    /// Step of each convolution, as many as kernels.
    pub strides: Vec<usize>,
}

impl Default for SpectrumConfig {
    fn default() -> Self {
        Self { bins: 80_000, filters: 128, kernels: vec![256, 64, 16], strides: vec![64, 32, 4] }
    }
}

/// Why the branch cannot be planned or run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpectrumError {
    /// A count that must be positive.
    #[error("`{field}` is zero, expected at least one")]
    Zero {
        /// The setting.
        field: &'static str,
    },
    /// Each convolution has a kernel and a stride.
    #[error("{kernels} kernels and {strides} strides, expected as many and at least one")]
    Layers {
        /// Kernels that were given.
        kernels: usize,
        /// Strides that were given.
        strides: usize,
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
    /// A backward pass without the forward pass it belongs to.
    #[error("the workspace holds no forward pass over {clips} clips")]
    NoForward {
        /// Clips of the gradient that was given.
        clips: usize,
    },
}

impl SpectrumConfig {
    pub(crate) fn validate(&self) -> Result<(), SpectrumError> {
        let (kernels, strides) = (self.kernels.len(), self.strides.len());
        if kernels == 0 || kernels != strides {
            return Err(SpectrumError::Layers { kernels, strides });
        }
        let smallest = |counts: &[usize]| counts.iter().copied().min().unwrap_or(0);
        for (field, count) in [
            ("bins", self.bins),
            ("filters", self.filters),
            ("kernels", smallest(&self.kernels)),
            ("strides", smallest(&self.strides)),
        ] {
            if count == 0 {
                return Err(SpectrumError::Zero { field });
            }
        }
        Ok(())
    }
}
