//! Score and decision files in the challenge's own format, written by anybody.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{Domain, ScoreRow, Truth};

/// One line of a score file, joined with its decision where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct FileScore {
    /// Machine type, from the score file's name.
    pub machine: String,
    /// Section or machine id, from the score file's name.
    pub section: String,
    /// Domain, from the score file's or the clip's name.
    pub domain: Option<Domain>,
    /// The clip's file name as written.
    pub file: String,
    /// Anomaly score: larger is more anomalous.
    pub score: f64,
    /// Decision, from `decision_result_*` beside or a third column.
    pub decision: Option<bool>,
}

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
}

/// Reads one score file, or every score file of a folder, sorted by machine, section, domain, file.
///
/// Understood are the challenge's `anomaly_score_<machine>_section_SS[_…].csv` (name, score) with
/// `decision_result_*` beside, with or without header, with prefixes and suffixes; and the score
/// tables that offkey itself writes.
///
/// # Errors
/// [`ScoreFileError`] when nothing could be read, a row is malformed, or a clip is scored twice.
pub fn read_score_files(_path: &Path) -> Result<Vec<FileScore>, ScoreFileError> {
    todo!()
}

/// Scores joined with what names and truth say of their clips, by file name.
///
/// Returns the rows in the order of `scores`. A clip of unknown condition stays in with `None`.
pub fn score_rows(_scores: &[FileScore], _truth: Option<&Truth>) -> Vec<ScoreRow> {
    todo!()
}
