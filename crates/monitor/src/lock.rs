//! One writer at a time: files beside what is written that one process locks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey_core::{Lock, remove_abandoned};

use crate::MonitorError;

/// Locks a model file for this process until what is returned is dropped. What a path leads to is
/// locked, so that a link and its target are one model. What killed writers left beside it is removed.
///
/// # Errors
/// [`MonitorError::Locked`] when another process changes it, [`MonitorError::File`] when its folder cannot
/// be written to.
pub fn lock_model(path: &Path) -> Result<Lock, MonitorError> {
    let path = fs::canonicalize(path).map_err(MonitorError::io(path))?;
    let lock = lock(&path)?;
    if let Some(folder) = path.parent() {
        // What cannot be removed hurts nobody.
        let _ = remove_abandoned(folder);
    }
    Ok(lock)
}

/// Locks what lies at a path for this process, by a file beside it, until what is returned is dropped.
pub(crate) fn lock(path: &Path) -> Result<Lock, MonitorError> {
    let lock = beside(path, ".lock");
    if let Some(folder) = lock.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(MonitorError::io(folder))?;
    }
    let taken = Lock::take(&lock).map_err(MonitorError::io(&lock))?;
    taken.ok_or_else(|| MonitorError::Locked { path: path.to_owned() })
}

/// The path with an ending added to its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_model_has_one_writer_by_whatever_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("m.offkey"), folder.path().join("link.offkey"));
        fs::write(&path, b"").expect("room");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let held = lock_model(&link).expect("nobody else");
        assert!(matches!(lock_model(&path), Err(MonitorError::Locked { .. })));
        drop(held);
        // A killed writer left half a model.
        fs::write(folder.path().join(".offkey-x.part"), b"").expect("room");
        drop(lock_model(&path).expect("nobody else"));
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .expect("a folder")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["link.offkey", "m.offkey"]);
    }
}
