//! Training: clips and classes in, a model folder out.

mod batches;
mod checkpoint;
mod clip_set;
mod config;
mod error;
mod examine;
mod gradient_split;
mod measure;
mod objective;
mod options;
mod supply;
mod trainer;

use std::path::Path;

pub use config::{BatchNormStatistics, TrainConfig, TrainLength};
pub use error::TrainError;
use offkey_core::Seed;
use offkey_infer::{ClipSource, Compute, EncoderConfig};
pub use options::{Convergence, CosineSchedule, EarlyStopping, Schedule};

use clip_set::ClipSet;
use trainer::Trainer;

use crate::{Labels, LossConfig, TrainObserver, loss::LossRegistry};

/// Everything a training run is made from.
pub struct TrainJob<'a> {
    /// The training clips.
    pub source: &'a dyn ClipSource,
    /// Their classes.
    pub labels: &'a Labels,
    /// The architecture.
    pub encoder: &'a EncoderConfig,
    /// The loss.
    pub loss: &'a LossConfig,
    /// Losses from outside that it may name.
    pub losses: &'a LossRegistry,
    /// The training settings.
    pub train: &'a TrainConfig,
    /// Seed of every random choice.
    pub seed: Seed,
    /// Where to compute.
    pub compute: Compute,
    /// Folder that receives the model, and checkpoints on the way; made if absent.
    pub folder: &'a Path,
    /// Whether to continue from the folder's checkpoint. Without one training begins anew; a
    /// finished run leaves none.
    pub resume: bool,
}

/// What a training run did.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Whether the run reached its end; false when the observer stopped it.
    pub finished: bool,
    /// Epochs, those before a resumption included; the last may have been cut short.
    pub epochs: usize,
    /// Optimiser steps done, those before a resumption included.
    pub steps: usize,
    /// The epoch, from 0, whose weights were kept because the held-out loss was lowest; absent
    /// without [`TrainConfig::early_stopping`].
    pub best_epoch: Option<usize>,
    /// Whether the held-out clips have stopped to gain; absent without
    /// [`TrainConfig::convergence`].
    pub converged: Option<bool>,
    /// Mean loss of the last completed epoch; absent when none was.
    pub loss: Option<f64>,
    /// Seconds of this call.
    pub seconds: f64,
    /// Clips that passed through a step in this call, divided by its seconds.
    pub clips_per_second: f64,
    /// Trained numbers of the encoder, without the loss's own.
    pub parameters: usize,
    /// Whether evaluation uses recomputed instead of running statistics.
    pub statistics_recomputed: bool,
    /// The kernels that computed each branch, as in `fast (avx512)` or `reference`.
    pub kernels: Vec<String>,
}

/// Trains an encoder and writes it into `job.folder`.
///
/// The same job gives the same bytes, and so does a run that was stopped and resumed.
///
/// # Errors
/// [`TrainError`] when the job is not sound, a clip cannot be read, the loss diverges, the
/// encoder collapses, or the folder cannot be written.
pub fn train(
    job: &TrainJob<'_>,
    observer: &mut dyn TrainObserver,
) -> Result<TrainReport, TrainError> {
    check(job)?;
    let (training, held_out) = ClipSet::parted(job);
    if training.len() < 2 {
        return Err(TrainError::TooFewClips { found: training.len() });
    }
    let needs_held_out = [
        ("early_stopping", job.train.early_stopping.is_some()),
        ("convergence", job.train.convergence.is_some()),
    ];
    let unmet = needs_held_out.into_iter().find(|(_, asked)| *asked && held_out.len() == 0);
    if let Some((field, _)) = unmet {
        return Err(TrainError::Setting {
            field,
            found: "without clips to measure on".to_owned(),
            expected: "a share of `held_out` that some class can spare a clip for",
        });
    }
    Trainer::new(job, &training, &held_out)?.run(observer)
}

fn check(job: &TrainJob<'_>) -> Result<(), TrainError> {
    job.encoder.validate()?;
    if let Some((field, found, expected)) = job.train.invalid() {
        return Err(TrainError::Setting { field, found, expected });
    }
    job.loss.check(job.losses, job.encoder.dims(), job.labels.classes)?;
    check_self_supervision(job)?;
    check_labels(job.source, job.labels)
}

fn check_self_supervision(job: &TrainJob<'_>) -> Result<(), TrainError> {
    let rule = job.train.self_supervision;
    let for_classes = (rule.class_factor().is_some() && !job.loss.needs_classes(job.losses)?)
        .then_some("`none`: the loss does not tell classes apart");
    match for_classes.or(rule.missing_in(job.encoder)) {
        None => Ok(()),
        Some(expected) => Err(TrainError::Setting {
            field: "self_supervision",
            found: rule.name().to_owned(),
            expected,
        }),
    }
}

fn check_labels(source: &dyn ClipSource, labels: &Labels) -> Result<(), TrainError> {
    let Labels { classes, ref of_clip } = *labels;
    if of_clip.len() != source.len() {
        return Err(TrainError::LabelCount { labels: of_clip.len(), clips: source.len() });
    }
    match of_clip.iter().position(|&class| class as usize >= classes) {
        Some(clip) => Err(TrainError::Label { clip, found: of_clip[clip], classes }),
        None => Ok(()),
    }
}
