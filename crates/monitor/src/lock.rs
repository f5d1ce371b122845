//! One writer at a time: files beside what is written that one process locks.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use crate::MonitorError;

/// Locks a model file for this process until what is returned is dropped. What a path leads to is
/// locked, so that a link and its target are one model.
///
/// # Errors
/// [`MonitorError::Locked`] when another process changes it, [`MonitorError::Io`] when its folder cannot
/// be written to.
pub fn lock_model(path: &Path) -> Result<File, MonitorError> {
    lock(&fs::canonicalize(path).map_err(MonitorError::io(path))?)
}

/// Locks what lies at a path for this process, by a file beside it, until the returned file is dropped.
pub(crate) fn lock(path: &Path) -> Result<File, MonitorError> {
    let lock = beside(path, ".lock");
    if let Some(folder) = lock.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(MonitorError::io(folder))?;
    }
    let file = File::create(&lock).map_err(MonitorError::io(&lock))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MonitorError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(MonitorError::io(&lock)(error)),
    }
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
        assert!(lock_model(&path).is_ok());
    }
}
