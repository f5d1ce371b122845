//! Why truth could not be read.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What counts as a truth file, for messages.
const LOOKED_FOR: &str = "`ground_truth_*.csv`, `attributes_*.csv`, \
    `eval_data_list.csv`, `ground_truth.csv`, `truth.csv`";

/// Why truth could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruthError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is no CSV.
    #[error("cannot read truth file `{}`", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: csv::Error,
    },
    /// A row says nothing that can be understood.
    #[error("`{}` line {line}: found `{found}`, expected {expected}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// Two rows disagree on one clip.
    #[error("`{}` says `{found}` of the {what} of `{file}`, another truth row says `{known}`", path.display())]
    Conflict {
        /// The file that disagrees with what was read before.
        path: PathBuf,
        /// Label, domain or group.
        what: &'static str,
        /// The clip's file name, without extension.
        file: String,
        /// What this row says.
        found: String,
        /// What an earlier row said.
        known: String,
    },
    /// A file holds no row that names a clip.
    #[error(
        "`{}` holds no truth, expected lines of a file name and 0 or 1, or a header that names its \
        columns, as `file,label`",
        path.display()
    )]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds no truth file.
    #[error(
        "no truth file below `{}`, looked for {}",
        path.display(),
        LOOKED_FOR
    )]
    NothingFound {
        /// The folder.
        path: PathBuf,
    },
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TruthError + '_ {
    move |source| TruthError::Io { path: path.to_owned(), source }
}
