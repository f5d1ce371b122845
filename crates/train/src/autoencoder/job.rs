//! What an autoencoder is trained from, and why it cannot be.

use offkey_core::Seed;
use offkey_infer::{
    ClipSource, Compute, ModelError, SourceError,
    autoencoder::{AutoencoderConfig, AutoencoderError},
};

/// What an autoencoder is trained from.
pub struct AutoencoderJob<'a> {
    /// The normal clips of one machine.
    pub source: &'a dyn ClipSource,
    /// Whether each clip is of the target domain.
    pub is_target: &'a [bool],
    /// Architecture and training.
    pub config: &'a AutoencoderConfig,
    /// Seed of every random choice.
    pub seed: Seed,
    /// Where to compute.
    pub compute: Compute,
}

/// Why an autoencoder cannot be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutoencoderTrainError {
    /// There is too little to train on.
    #[error("{found} windows of sound are too few to train an autoencoder, expected at least 2")]
    TooFewWindows {
        /// Windows of all clips.
        found: usize,
    },
    /// Domains and clips disagree.
    #[error("{found} domains for {clips} clips")]
    Domains {
        /// Domains given.
        found: usize,
        /// Clips of the source.
        clips: usize,
    },
    /// A clip could not be read.
    #[error("cannot read clip {clip}")]
    Source {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: SourceError,
    },
    /// The reconstruction error is not a number any more.
    #[error("the reconstruction error of epoch {epoch} is {error}: training has diverged")]
    Diverged {
        /// The epoch, from 0.
        epoch: usize,
        /// The mean squared error.
        error: f64,
    },
    /// Training was asked to stop.
    #[error("training was stopped after epoch {epoch}")]
    Stopped {
        /// The last completed epoch, from 0.
        epoch: usize,
    },
    /// A setting or a clip cannot be used.
    #[error(transparent)]
    Autoencoder(#[from] AutoencoderError),
    /// The device cannot be used.
    #[error("cannot use the model")]
    Model(#[from] ModelError),
}
