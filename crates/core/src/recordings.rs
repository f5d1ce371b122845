//! Recordings named on a command line: files, and folders of files.

use std::{collections::BTreeSet, path::PathBuf};

use crate::{
    files::FileError,
    names::is_audio,
    walk::{LeftOut, walk},
};

/// The files among `paths`, and every recording in the folders among them, sorted within each
/// folder, as [`walk`] finds them; a file that several links lead to once. What a folder holds and
/// cannot be read is told as a warning.
///
/// # Errors
/// [`FileError::Io`] when a folder cannot be read, [`FileError::NoRecording`] when nothing is found.
pub fn recordings(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let (recordings, left_out) = recordings_and_left_out(paths)?;
    for left in left_out {
        tracing::warn!("`{}` is left out: {}", left.path.display(), left.reason);
    }
    Ok(recordings)
}

/// As [`recordings`], and what a folder holds and cannot be read, for whoever must not pass over it.
///
/// # Errors
/// As [`recordings`]; a folder of which nothing can be read is no error.
pub fn recordings_and_left_out(
    paths: &[PathBuf],
) -> Result<(Vec<PathBuf>, Vec<LeftOut>), FileError> {
    let (mut recordings, mut left_out) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            recordings.push(path.clone());
            continue;
        }
        let found = walk(path).map_err(FileError::io(path))?;
        left_out.extend(found.left_out);
        let mut seen = BTreeSet::new();
        let audio = found
            .files
            .into_iter()
            .filter(|file| is_audio(&file.path.file_name().unwrap_or_default().to_string_lossy()));
        recordings.extend(audio.filter(|f| seen.insert(f.real.clone())).map(|file| file.path));
    }
    if recordings.is_empty() && !left_out.iter().any(LeftOut::may_hold_sound) {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(FileError::NoRecording { searched: names.join("`, `") });
    }
    Ok((recordings, left_out))
}
