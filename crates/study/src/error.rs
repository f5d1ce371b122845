//! Everything that can go wrong between a study file and its tables.

use std::path::PathBuf;

use offkey::{FileError, OffkeyError};
use offkey_core::ErrorKind;

use crate::file::StudyFileError;

/// An error of a study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The study cannot be run as written.
    #[error(transparent)]
    File(#[from] StudyFileError),
    /// A run of the study failed.
    #[error(transparent)]
    Run(#[from] OffkeyError),
    /// The caller asked to stop.
    #[error("stopped after {done} of {total} jobs")]
    Stopped {
        /// The study's folder.
        out: PathBuf,
        /// Jobs that have a result.
        done: usize,
        /// Jobs altogether.
        total: usize,
    },
    /// Some jobs have no model.
    #[error("{jobs} of {total} jobs could not be trained, the first: {first}")]
    Untrained {
        /// How many.
        jobs: usize,
        /// Of how many.
        total: usize,
        /// Data set, trial and cell of the first.
        first: String,
        /// Why the first could not.
        #[source]
        cause: Box<OffkeyError>,
    },
}

impl StudyError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(_) => ErrorKind::Usage,
            Self::Run(error) => error.kind(),
            Self::Stopped { .. } => ErrorKind::Cancelled,
            Self::Untrained { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            Self::Run(error) => error.hint(),
            Self::Stopped { out, .. } => Some(format!(
                "go on with the same command; results so far, if any, are in {}",
                out.display()
            )),
            Self::Untrained { cause, .. } => cause.hint(),
        }
    }
}

impl From<FileError> for StudyError {
    fn from(error: FileError) -> Self {
        Self::Run(error.into())
    }
}
