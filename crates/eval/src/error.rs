//! Why scores could not be evaluated.

use std::{io, path::PathBuf};

/// Why scores could not be evaluated or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// There is nothing to evaluate.
    #[error("no scored test clip among {rows} rows")]
    NoRows {
        /// Rows given, training and supplemental clips included.
        rows: usize,
    },
    /// A score that cannot be ranked.
    #[error(
        "clip `{name}` of {machine} section {section} has the score {score}, expected a finite number"
    )]
    NonFiniteScore {
        /// Machine of the clip.
        machine: String,
        /// Section of the clip.
        section: String,
        /// Name of the clip.
        name: String,
        /// The score found.
        score: f64,
    },
    /// The same clip was scored twice.
    #[error("clip `{name}` of {machine} section {section} has two scores, expected one")]
    DuplicateClip {
        /// Machine of the clip.
        machine: String,
        /// Section of the clip.
        section: String,
        /// Name of the clip.
        name: String,
    },
    /// A metric needs both conditions, and one is absent.
    #[error(
        "found {normal} normal and {anomalous} anomalous scores, expected at least one of each"
    )]
    OneCondition {
        /// Normal scores found.
        normal: usize,
        /// Anomalous scores found.
        anomalous: usize,
    },
    /// All scores are equal, so that no threshold separates anything.
    #[error(
        "the thresholds reach from {lower} to {upper}, expected an interval of positive length"
    )]
    EmptyThresholdRange {
        /// Lower end of the thresholds.
        lower: f64,
        /// Upper end of the thresholds.
        upper: f64,
    },
    /// Trials to be averaged are not of the same kind.
    #[error("trial {trial} differs from the first in its {what}")]
    UnlikeTrials {
        /// Position of the odd trial.
        trial: usize,
        /// What differs.
        what: &'static str,
    },
    /// There is no trial to average.
    #[error("no trial to average")]
    NoTrials,
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}
