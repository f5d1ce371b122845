//! What the command line answers with when something goes wrong.

use offkey::{ErrorKind, OffkeyError};
use offkey_study::StudyError;

/// An error of any verb.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A run, a data set or a recipe.
    #[error(transparent)]
    Offkey(#[from] OffkeyError),
    /// A study.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Nowhere to write to.
    #[error("the {what} has nowhere to write to")]
    NoOutput {
        /// What would be written.
        what: &'static str,
    },
}

impl CliError {
    /// What kind of trouble it is.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Offkey(error) => error.kind(),
            Self::Study(error) => error.kind(),
            Self::NoOutput { .. } => ErrorKind::Usage,
        }
    }

    /// What the reader can do about it, where there is something.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Offkey(error) => error.hint(),
            Self::Study(error) => error.hint(),
            Self::NoOutput { .. } => Some("name a folder with --out".to_owned()),
        }
    }
}
