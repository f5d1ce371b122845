//! What can go wrong in training.

use std::path::PathBuf;

use offkey_infer::{ConfigError, ModelError, SourceError};

use crate::loss::LossError;

/// Why training stopped or did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The architecture cannot be built.
    #[error("cannot build the encoder")]
    Config(#[from] ConfigError),
    /// The loss cannot be built for this auxiliary task.
    #[error("cannot build the loss")]
    Loss(#[from] LossError),
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
        folder: PathBuf,
        /// What differs.
        field: &'static str,
    },
    /// The model folder cannot be written or read.
    #[error("cannot use the model folder")]
    Model(#[from] ModelError),
}
