//! Why a data set could not be read at all.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{TruthError, UnknownWord, counted, io_hint, sheet::TEXT, stems::NameError};

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is nothing at this path.
    #[error("there is no file or folder `{}`", path.display())]
    Absent {
        /// The path.
        path: PathBuf,
    },
    /// A file that is neither a recording nor a manifest.
    #[error("`{}` is no recording, no folder and no table of recordings (`.csv`)", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// No recording was found.
    #[error("no recordings in `{}`{}", path.display(), others(*files))]
    NoClips {
        /// The folder.
        path: PathBuf,
        /// Files that are there.
        files: usize,
    },
    /// No file of a manifest exists.
    #[error(
        "none of the {rows} files that `{}` names exists, the first is `{}`; paths are relative to \
        the manifest",
        path.display(),
        first.display()
    )]
    AllMissing {
        /// The manifest.
        path: PathBuf,
        /// Rows.
        rows: usize,
        /// Where the first file was looked for.
        first: PathBuf,
    },
    /// No data set was named.
    #[error("no data set given, expected at least one folder or manifest")]
    NothingGiven,
    /// A manifest is no CSV.
    #[error("cannot read manifest `{}`", path.display())]
    Csv {
        /// The manifest.
        path: PathBuf,
        /// The cause, with its line.
        source: csv::Error,
    },
    /// A manifest is no text.
    #[error("manifest `{}` line {line}: found other bytes, expected {}", path.display(), TEXT)]
    NoText {
        /// The manifest.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
    /// A manifest's row has more or fewer cells than its header.
    #[error("manifest `{}` line {line}: found {found} cells, expected {expected}", path.display())]
    Cells {
        /// The manifest.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Cells of the row.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// A manifest lacks the column with the paths.
    #[error("manifest `{}` has the columns {}, expected at least `path`", path.display(), found.join(", "))]
    NoPathColumn {
        /// The manifest.
        path: PathBuf,
        /// The columns found.
        found: Vec<String>,
    },
    /// A manifest's cell is none of the known words.
    #[error("manifest `{}` line {line}", path.display())]
    Row {
        /// The manifest.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The cause.
        source: UnknownWord,
    },
    /// Machines or sections cannot be told apart by file names.
    #[error(transparent)]
    Names(#[from] NameError),
    /// Truth files are broken.
    #[error(transparent)]
    Truth(#[from] TruthError),
}

impl DataError {
    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoClips { .. } => Some(
                "recordings are files that end in .wav, .flac, .mp3 and the like; put those of each machine into folders `train` \
                 and `test`, or `normal` and `anomaly`, or list them in a `manifest.csv`",
            ),
            Self::Io { .. }
            | Self::Absent { .. }
            | Self::NotAFolder { .. }
            | Self::AllMissing { .. }
            | Self::NothingGiven
            | Self::Csv { .. }
            | Self::NoText { .. }
            | Self::Cells { .. }
            | Self::NoPathColumn { .. }
            | Self::Row { .. }
            | Self::Names(_)
            | Self::Truth(_) => io_hint(self),
        }
    }
}

/// What else is there.
fn others(files: usize) -> String {
    if files == 0 { String::new() } else { format!(", only {}", counted(files, "other file")) }
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DataError + '_ {
    move |source| DataError::Io { path: path.to_owned(), source }
}
