//! Why the recordings of a data set cannot be used.

use std::path::PathBuf;

use offkey_core::ErrorKind;

/// Why the recordings of a data set cannot be used.
///
/// ```
/// use offkey::{ClipsError, ErrorKind};
///
/// let error = ClipsError::NoTest { total: 12, data: "`sounds`".to_owned() };
/// assert_eq!(error.kind(), ErrorKind::Failed);
/// assert_eq!(error.to_string(), "no test clips among 12 clips of `sounds`");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClipsError {
    /// Recordings that cannot be used.
    #[error("{} of {total} recordings cannot be used, the first: {first}", bad.len())]
    Bad {
        /// The recordings, each with its reason.
        bad: Vec<(PathBuf, String)>,
        /// How many there are altogether.
        total: usize,
        /// The first reason.
        first: String,
    },
    /// Nothing to learn from.
    #[error("no normal training clips among {total} clips of {data}")]
    NoTraining {
        /// Clips found.
        total: usize,
        /// Where.
        data: String,
    },
    /// Nothing to score.
    #[error("no test clips among {total} clips of {data}")]
    NoTest {
        /// Clips found.
        total: usize,
        /// Where.
        data: String,
    },
    /// No test clip has normal clips of its own section to be compared with.
    #[error(
        "none of {total} test clips can be scored: no normal training clip of {section}, nor of any other section to be tested"
    )]
    NothingComparable {
        /// Test clips found.
        total: usize,
        /// The first clip's machine and section.
        section: String,
    },
}

impl ClipsError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Bad { .. }
            | Self::NoTraining { .. }
            | Self::NoTest { .. }
            | Self::NothingComparable { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Bad { .. } => {
                "repair or remove them, or say --skip-bad to go on without them; `offkey data inspect` lists every problem"
            }
            Self::NoTraining { .. } => {
                "training needs recordings of normal operation: in a folder `normal`, with `train` in the path, or with split `train` in a manifest; `offkey data inspect` shows what was recognised"
            }
            Self::NothingComparable { .. } => {
                "every machine and section is compared with normal recordings of its own; `offkey data inspect` shows what was recognised"
            }
            Self::NoTest { .. } => {
                "give test clips as well, or use the model with `offkey score CLIP --run RUN`"
            }
        };
        Some(hint.to_owned())
    }
}
