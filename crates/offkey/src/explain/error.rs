//! Why a score cannot be explained.

use offkey_core::ErrorKind;
use offkey_report::rise::RiseError;

/// Why a score cannot be explained.
///
/// ```
/// use offkey::{ErrorKind, ExplainError};
///
/// assert_eq!(ExplainError::NothingToMask.kind(), ErrorKind::Usage);
/// assert!(ExplainError::NothingToMask.hint().is_some());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// No masks can be drawn as asked.
    #[error(transparent)]
    Masks(RiseError),
    /// There is no spectrogram to mask.
    #[error("the model has no network that looks at a spectrogram, and an explanation masks one")]
    NothingToMask,
}

impl ExplainError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Masks(_) | Self::NothingToMask => ErrorKind::Usage,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Masks(_) => return None,
            Self::NothingToMask => {
                "explain clips with a run of a recipe that trains a network with an `stft` branch, as `default`"
            }
        };
        Some(hint.to_owned())
    }
}
