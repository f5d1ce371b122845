//! What can go wrong in verbs that learn, train or study.

use std::path::PathBuf;

use offkey::{ErrorKind, OffkeyError, RecipeError, Year, counted, learn::LearnError};
use offkey_onnx::OnnxError;
use offkey_study::{CompareError, StudyError, StudyFileError};

/// An error of a verb of the workbench.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkbenchError {
    /// A run, a data set or a recipe.
    #[error(transparent)]
    Offkey(#[from] OffkeyError),
    /// A study.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Runs that are to be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A model cannot be exported.
    #[error(transparent)]
    Export(#[from] OnnxError),
    /// Some of several recordings could not be used; each was named.
    #[error("{failed} of {} could not be {done}", counted(*total, "recording"))]
    Some {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
        /// What was to be done with them.
        done: &'static str,
    },
    /// An option of runs beside a monitor.
    #[error("`{option}` is for runs, and `{}` is a monitor", path.display())]
    ForRuns {
        /// The model file.
        path: PathBuf,
        /// The option.
        option: &'static str,
    },
    /// A model file in the place of a recording.
    #[error("the model cannot be written to `{}`: {found}", path.display())]
    OverRecording {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// Nothing to score clips with.
    #[error("there is neither a run nor a model to score the clips with")]
    NoDetector,
    /// A folder is not the official set of a year; the differences were named.
    #[error("this is not the whole official set of {year}")]
    NotWhole {
        /// The year.
        year: Year,
    },
    /// Nothing is known of a year's official set.
    #[error("the official counts of {year} are not in this version")]
    NoOfficialCounts {
        /// The year.
        year: Year,
    },
    /// Nowhere to write to.
    #[error("the {what} has nowhere to write to")]
    NoOutput {
        /// What would be written.
        what: &'static str,
    },
}

impl WorkbenchError {
    /// What kind of trouble it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Offkey(error) => error.kind(),
            Self::Study(error) => error.kind(),
            Self::Compare(error) => error.kind(),
            Self::Recipe(error) => error.kind(),
            Self::Export(error) => error.kind(),
            Self::NoDetector
            | Self::ForRuns { .. }
            | Self::OverRecording { .. }
            | Self::NoOfficialCounts { .. }
            | Self::NoOutput { .. } => ErrorKind::Usage,
            Self::NotWhole { .. } | Self::Some { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Offkey(error) => return error.hint(),
            Self::Study(error) => return error.hint(),
            Self::Compare(error) => return error.hint(),
            Self::Recipe(error) => return error.hint(),
            Self::Export(error) => return error.hint(),
            Self::NoDetector => "name a run with --run RUN, or a model file with --model FILE",
            Self::ForRuns { .. } => {
                "leave it out: what each detector of a monitor says of the worst window is printed"
            }
            Self::OverRecording { .. } => {
                "name a file that ends in `.offkey`, as in -o pump.offkey"
            }
            Self::NoOfficialCounts { .. } => "`offkey data inspect` counts whatever is there",
            Self::NoOutput { .. } => "name a folder with --out",
            Self::NotWhole { .. } | Self::Some { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<LearnError> for WorkbenchError {
    fn from(error: LearnError) -> Self {
        Self::Offkey(error.into())
    }
}

impl From<StudyFileError> for WorkbenchError {
    fn from(error: StudyFileError) -> Self {
        Self::Study(error.into())
    }
}
