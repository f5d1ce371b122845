//! Training of the challenge's official baseline: an autoencoder of log-mel windows of one machine's
//! normal clips.
//!
//! Source: Harada et al., "First-shot anomaly detection for machine condition monitoring: A domain
//! generalization baseline", EUSIPCO 2023.

mod job;
mod network;
mod training;

pub use job::{AutoencoderJob, AutoencoderTrainError};

use std::ops::ControlFlow;

use burn::module::Module;
use offkey_infer::autoencoder::Autoencoder;
use rayon::prelude::*;

use crate::{device::device, tensors::collect};

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
