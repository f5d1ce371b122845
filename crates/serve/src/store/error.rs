//! Why the store cannot be used.

use std::{io, path::PathBuf};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database refuses.
    #[error("the store's database refuses")]
    Sql(#[from] rusqlite::Error),
    /// A file or folder cannot be used.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the store in `{}` is in use by another process", folder.display())]
    InUse {
        /// Its folder.
        folder: PathBuf,
    },
    /// Written by a later version.
    #[error("the store has form {found}, and this version reads forms up to {expected}")]
    TooNew {
        /// Its form.
        found: u32,
        /// Newest form known.
        expected: u32,
    },
}
