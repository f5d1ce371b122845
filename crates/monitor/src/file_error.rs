//! Why a model file cannot be used.

use std::path::PathBuf;

use safetensors::SafeTensorError;

/// Form of the file. A reader reads its own and all earlier forms.
pub const FORMAT: u32 = 2;
/// Larger files are refused before they are read: no model comes near.
pub(crate) const LARGEST_BYTES: u64 = 1 << 30;

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// Not a model file at all, or cut short.
    #[error("`{}` is not an offkey model, or is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Content and checksum disagree.
    #[error("`{}` is damaged: its checksum is {found}, expected {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Of the content.
        found: String,
        /// As written in the file.
        expected: String,
    },
    /// Written by a later version.
    #[error("`{}` has form {found}, and this version reads forms up to {FORMAT}", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
    /// An earlier form, which is read and not changed.
    #[error("the model has an earlier form: it judges as it did, and cannot be changed")]
    Earlier,
    /// A run in its place.
    #[error("`{}` is a run, expected the model file of a monitor", path.display())]
    Run {
        /// The folder.
        path: PathBuf,
    },
    /// Unreasonably large.
    #[error("`{}` has {found} bytes, expected at most {LARGEST_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
    },
}

impl ModelFileError {
    /// What the reader can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooNew { .. } => {
                Some("use a newer offkey, or learn the model again with this one")
            }
            Self::Damaged { .. } | Self::Checksum { .. } => {
                Some("copy it again from where it came, or learn it again")
            }
            Self::Run { .. } => Some(
                "`offkey learn` makes one from normal recordings; a run scores with `offkey score CLIP --run RUN`",
            ),
            Self::Earlier => Some("learn the model again"),
            Self::TooLarge { .. } => None,
        }
    }
}

/// What is wrong with a model's container, in words.
pub(crate) fn in_words(error: &SafeTensorError) -> String {
    let words = match error {
        SafeTensorError::InvalidHeader(_)
        | SafeTensorError::InvalidHeaderDeserialization(_)
        | SafeTensorError::HeaderTooLarge
        | SafeTensorError::HeaderTooSmall => "it does not begin as a model does",
        SafeTensorError::InvalidHeaderLength | SafeTensorError::MetadataIncompleteBuffer => {
            "it is cut short, or has more behind it"
        }
        _ => "its table of contents contradicts itself",
    };
    words.to_owned()
}

/// What a file with a valid checksum may still be wrong in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Something is absent.
    Absent(String),
    /// An array has another shape.
    Shape { name: String, found: Vec<usize>, expected: [usize; 2] },
    /// A number that is not finite, or contradicts the others.
    Values,
    /// Anything else.
    Other(String),
}
