//! Why score files could not be read, and what in them was not used.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Why score files could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreFileError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is no CSV.
    #[error("cannot read score file `{}`", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: csv::Error,
    },
    /// A file's name does not say whose scores it holds.
    #[error(
        "cannot tell machine and section of `{}`, expected a name like \
        `anomaly_score_<machine>_section_<00>.csv` or columns `path`, `machine`, `section`, `score`",
        path.display()
    )]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A row is no pair of file name and number.
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
    /// A clip has two scores, say from two trials in one folder.
    #[error("`{file}` of {machine} {section} is scored twice, the second time in `{}`", path.display())]
    Twice {
        /// The clip's machine.
        machine: String,
        /// The clip's section.
        section: String,
        /// The clip's file name.
        file: String,
        /// Where the second score stands.
        path: PathBuf,
    },
    /// A decision file speaks of a clip that no score file has.
    #[error("`{}` decides on `{file}`, which has no score", path.display())]
    DecisionWithoutScore {
        /// The decision file.
        path: PathBuf,
        /// The clip's file name.
        file: String,
    },
    /// A folder holds no score file.
    #[error(
        "no scores in `{}`, looked for `anomaly_score_*.csv` and CSV files with the columns \
        `machine` and `score`",
        path.display()
    )]
    NothingFound {
        /// The folder.
        path: PathBuf,
    },
}

/// Something in score or truth files that was not used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unused {
    /// Rows without any text.
    #[error("{rows} empty rows of `{}` are skipped", file.display())]
    EmptyRows {
        /// The file.
        #[serde(with = "crate::paths")]
        file: PathBuf,
        /// How many.
        rows: usize,
    },
    /// A file among score files.
    #[error("`{}` is not used: {reason}", file.display())]
    File {
        /// The file.
        #[serde(with = "crate::paths")]
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Rows of a truth file speak of no scored clip.
    #[error("{rows} of {of} rows of `{}` speak of no scored clip, as `{example}`", file.display())]
    TruthRows {
        /// The truth file.
        #[serde(with = "crate::paths")]
        file: PathBuf,
        /// How many.
        rows: usize,
        /// Rows of the file.
        of: usize,
        /// The first one's machine, where it names one, and file name.
        example: String,
    },
    /// A truth file was made for another numbering of the clips.
    #[error("`{}` contradicts other truth files in {rows} rows and is not used", file.display())]
    DoubtfulTruth {
        /// The truth file.
        #[serde(with = "crate::paths")]
        file: PathBuf,
        /// How many.
        rows: usize,
    },
}

pub(super) fn row_error(
    path: &Path,
    line: u64,
    found: &str,
    expected: &'static str,
) -> ScoreFileError {
    ScoreFileError::Row { path: path.to_owned(), line, found: found.to_owned(), expected }
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ScoreFileError + '_ {
    move |source| ScoreFileError::Io { path: path.to_owned(), source }
}
