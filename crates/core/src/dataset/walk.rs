//! What of the files below a folder is a recording, what a truth file.

use std::path::{Path, PathBuf};

use super::{DataError, Problem, error::io_error};
use crate::{
    names::is_audio,
    truth::is_truth_file,
    walk::{Found, LeftOut, Reason},
};

/// What lies below a data set's folder.
#[derive(Default)]
pub(super) struct Walk {
    /// Recordings, sorted by path.
    pub(super) audio: Vec<Found>,
    /// Truth and attribute files.
    pub(super) truth: Vec<PathBuf>,
    /// Everything else, hidden files too.
    pub(super) ignored: usize,
    pub(super) problems: Vec<Problem>,
}

/// Looks at everything below `root`.
pub(super) fn walk(root: &Path) -> Result<Walk, DataError> {
    let found = crate::walk::walk(root).map_err(io_error(root))?;
    let mut walk = Walk { ignored: found.hidden, ..Walk::default() };
    walk.problems.extend(found.left_out.into_iter().map(problem));
    for file in found.files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        if is_audio(&name) {
            if file.path.to_str().is_some() {
                walk.audio.push(file);
            } else {
                walk.problems.push(unreadable(&file.path, NOT_UTF_8));
            }
        } else if is_truth_file(&file.path) {
            walk.truth.push(file.path);
        } else {
            walk.ignored += 1;
        }
    }
    Ok(walk)
}

/// A recording that was named itself.
pub(super) fn one(path: &Path) -> Result<Found, Problem> {
    if path.to_str().is_none() {
        return Err(unreadable(path, NOT_UTF_8));
    }
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Ok(Found { path: path.to_owned(), real })
}

const NOT_UTF_8: &str = "its name is not valid UTF-8, so no table can hold it";

fn problem(left: LeftOut) -> Problem {
    match left.reason {
        Reason::Loop => Problem::SymlinkLoop { path: as_text(&left.path) },
        reason => unreadable(&left.path, &reason.to_string()),
    }
}

fn unreadable(path: &Path, reason: &str) -> Problem {
    Problem::Unreadable { path: as_text(path), reason: reason.to_owned() }
}

/// As text, so that the problem can be written down even where the name cannot.
fn as_text(path: &Path) -> PathBuf {
    PathBuf::from(path.to_string_lossy().into_owned())
}
