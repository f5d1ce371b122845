//! What can be wrong with a data set that can still be used.

use std::path::PathBuf;

use serde::Serialize;

/// Something a user should know of a data set; the clips that remain are usable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Problem {
    /// A file in the data set's folders has a name that says nothing; left out.
    #[error("`{}` has no challenge name like the files around it; left out", path.display())]
    UnparsableName {
        /// The file.
        path: PathBuf,
    },
}
