//! Files of runs and studies: whole or absent, JSON among them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{ErrorKind, io_hint, write_whole};

/// Why a file cannot be read or written.
///
/// ```
/// use std::path::Path;
///
/// use offkey_core::files::{FileError, read_json};
///
/// let error = read_json::<Vec<f64>>(Path::new("nowhere.json")).expect_err("no such file");
/// assert!(matches!(error, FileError::Io { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A JSON file is not what it should be.
    #[error("cannot read `{}` as JSON of the expected form", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: serde_json::Error,
    },
    /// No recording where one was looked for.
    #[error("no recording in `{searched}`")]
    NoRecording {
        /// Where.
        searched: String,
    },
}

impl FileError {
    /// For `map_err` on file system calls about `path`.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// For `map_err` on JSON calls about `path`.
    pub fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| Self::Json { path: path.to_owned(), source }
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::Json { .. } | Self::NoRecording { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } | Self::Json { .. } => io_hint(self),
            Self::NoRecording { .. } => Some(
                "WAV, FLAC, MP3, M4A, Ogg and more are read, known by the ending of their names",
            ),
        }
    }
}

/// [`write_whole`], with the path in the error.
///
/// # Errors
/// [`FileError::Io`] when the file system refuses.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), FileError> {
    write_whole(path, content).map_err(FileError::io(path))
}

/// Writes a value as indented JSON.
///
/// # Errors
/// [`FileError::Io`] when the file system refuses, [`FileError::Json`] when the value cannot be JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(FileError::json(path))?;
    text.push(b'\n');
    write_atomically(path, &text)
}

/// Reads a JSON file.
///
/// # Errors
/// [`FileError::Io`] when it cannot be read, [`FileError::Json`] when it is something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = fs::read(path).map_err(FileError::io(path))?;
    serde_json::from_slice(&text).map_err(FileError::json(path))
}
