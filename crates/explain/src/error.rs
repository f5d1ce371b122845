//! Why a score cannot be explained.

use offkey_core::{ErrorKind, FileError, io_hint};
use offkey_infer::ModelError;
use offkey_report::{chart::PictureError, rise::RiseError};

/// Why a score cannot be explained.
///
/// ```
/// use offkey_core::ErrorKind;
/// use offkey_explain::ExplainError;
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
    /// The model cannot take the clip.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Masked clips cannot be scored.
    #[error(transparent)]
    Rise(RiseError),
    /// A picture cannot be made.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The caller asked to stop.
    #[error("stopped before it was done")]
    Cancelled,
}

impl ExplainError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Masks(_) | Self::NothingToMask => ErrorKind::Usage,
            Self::Model(_) | Self::Rise(_) | Self::Picture(_) => ErrorKind::Failed,
            Self::File(error) => error.kind(),
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NothingToMask => Some(
                "explain clips with a run of a recipe that trains a network with an `stft` branch, as `default`",
            ),
            Self::File(error) => error.hint(),
            Self::Model(_) | Self::Rise(_) | Self::Picture(_) => io_hint(self),
            Self::Masks(_) | Self::Cancelled => None,
        }
    }
}
