//! The branches of an encoder, one file each: from a waveform to features, and from features to one
//! part of the embedding.
//!
//! All that the rest of the system wants to know of a branch it asks here, so that a new kind is a
//! file, a variant of [`BranchConfig`], and its layers for training. Branches of other crates
//! implement [`CustomBranch`] and are named in a [`BranchRegistry`].

mod custom;
mod kind;
mod spectrum;
mod stft;

use serde::{Deserialize, Serialize};

pub use custom::{BranchRegistry, CustomBranch, NamedBranch};
pub use kind::Axes;
pub(crate) use kind::{Branch, BranchNetwork, Build};
pub use spectrum::{SpectrumConfig, spectrum_plan};
pub use stft::{StftConfig, stft_plan};

/// One branch of an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchConfig {
    /// One-dimensional convolutions over the magnitude spectrum of the whole clip.
    Spectrum(SpectrumConfig),
    /// A residual network over the magnitude spectrogram.
    Stft(StftConfig),
    /// A branch of another crate, by its name in a [`BranchRegistry`].
    Custom(NamedBranch),
}

impl BranchConfig {
    pub(crate) fn kind(&self) -> &dyn Branch {
        match self {
            Self::Spectrum(config) => config,
            Self::Stft(config) => config,
            Self::Custom(named) => named,
        }
    }

    /// Length of this branch's part of the embedding.
    pub fn dims(&self) -> usize {
        self.kind().dims()
    }

    /// Rows and columns of the features of a clip of so many samples; a spectrum has one row.
    pub fn shape(&self, clip_samples: usize) -> (usize, usize) {
        self.kind().shape(clip_samples)
    }

    /// What the rows and columns of its features stand for.
    pub fn axes(&self) -> Axes {
        self.kind().axes()
    }
}
