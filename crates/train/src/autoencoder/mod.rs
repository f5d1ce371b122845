//! Training of the challenge's official baseline: an autoencoder of log-mel windows of one machine's
//! normal clips.
//!
//! Source: Harada et al., "First-shot anomaly detection for machine condition monitoring: A domain
//! generalization baseline", EUSIPCO 2023.

mod network;
mod training;

use std::ops::ControlFlow;

use burn::module::Module;
use offkey_core::Seed;
use offkey_infer::{
    ClipSource, Compute, ModelError, SourceError,
    autoencoder::{Autoencoder, AutoencoderConfig, AutoencoderError},
};
use rayon::prelude::*;

use crate::{device::device, tensors::collect};

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

/// Trains on one machine's normal clips. `progress` is told every epoch and its mean squared
/// error, and can stop the training.
///
/// # Errors
/// [`AutoencoderTrainError`] when a clip cannot be used, training diverges or is stopped.
pub fn train_autoencoder(
    job: &AutoencoderJob<'_>,
    progress: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<Autoencoder, AutoencoderTrainError> {
    job.config.check()?;
    if job.is_target.len() != job.source.len() {
        let (found, clips) = (job.is_target.len(), job.source.len());
        return Err(AutoencoderTrainError::Domains { found, clips });
    }
    let spectrograms = spectrograms(job)?;
    let device = device(job.compute)?;
    let network = training::train(job, &spectrograms, &device, progress)?.valid();
    Ok(Autoencoder::new(job.config.clone(), collect(&network), &spectrograms, job.is_target))
}

fn spectrograms(job: &AutoencoderJob<'_>) -> Result<Vec<Vec<f32>>, AutoencoderTrainError> {
    let seed = job.seed.child("clip");
    let of_clip = |clip: usize| {
        let wave = job
            .source
            .wave(clip, seed.child(clip))
            .map_err(|source| AutoencoderTrainError::Source { clip, source })?;
        Ok(job.config.spectrogram(clip, &wave)?)
    };
    let made: Vec<_> = (0..job.source.len()).into_par_iter().map(of_clip).collect();
    made.into_iter().collect()
}
