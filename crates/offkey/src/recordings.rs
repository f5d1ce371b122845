//! Recordings named on a command line: files, and folders of files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::OffkeyError;

/// The files among `paths`, and every WAV and FLAC file in the folders among them, sorted within
/// each folder.
///
/// # Errors
/// [`OffkeyError::Io`] when a folder cannot be read, [`OffkeyError::NoRecordings`] when nothing is
/// found.
pub fn recordings(paths: &[PathBuf]) -> Result<Vec<PathBuf>, OffkeyError> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            collect(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(OffkeyError::NoRecordings { searched: names.join(", ") });
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), OffkeyError> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(OffkeyError::io(folder))?;
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if path.is_dir() && !path.is_symlink() {
            collect(&path, found)?;
        } else if name.is_some_and(|name| offkey_core::names::is_audio(&name)) {
            found.push(path);
        }
    }
    Ok(())
}

/// Rows as CSV with a header, fields quoted where they must be.
pub fn to_csv<T: Serialize>(rows: &[T]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).expect("rows are flat");
    }
    let bytes = writer.into_inner().expect("memory takes every byte");
    String::from_utf8(bytes).expect("CSV of strings is text")
}
