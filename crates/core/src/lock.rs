//! One writer at a time: a file beside what is written, locked by one process and removed by it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Attempts to lock a file that others remove meanwhile.
const ATTEMPTS: usize = 100;

/// A lock that is held until it is dropped; its file goes with it. A process that is killed leaves the
/// file, unlocked.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock whose file is `path`; none where another process, or another part of this one,
    /// holds it.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            let file = File::options().write(true).create(true).truncate(false).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let lock = Self { path: path.to_owned(), file };
            // Between opening and locking the last holder may have removed the file: a lock of what
            // has no name keeps nobody away.
            if lock.is_named() {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    #[cfg(unix)]
    fn is_named(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let identity = |data: fs::Metadata| (data.dev(), data.ino());
        let (named, held) = (fs::metadata(&self.path), self.file.metadata());
        named.is_ok_and(|named| held.is_ok_and(|held| identity(named) == identity(held)))
    }

    #[cfg(not(unix))]
    fn is_named(&self) -> bool {
        // Here the file stays, so that it is always the one that was opened.
        self.file.metadata().is_ok()
    }
}

impl Drop for Lock {
    /// Removes the file while the lock is held: nobody else can hold a lock of that name.
    fn drop(&mut self) {
        if cfg!(unix) && self.is_named() {
            // One that cannot be removed is taken again later.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.lock");
        let held = Lock::take(&path).expect("a folder").expect("nobody else");
        assert!(Lock::take(&path).expect("a folder").is_none());
        drop(held);
        assert!(!cfg!(unix) || !path.exists());
        // What a killed process left is no lock.
        fs::write(&path, b"").expect("room");
        assert!(Lock::take(&path).expect("a folder").is_some());
    }

    #[test]
    fn many_threads_never_hold_one_lock_together() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.lock");
        let (holders, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Some(_lock) = Lock::take(&path).expect("a folder") else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        taken.fetch_add(1, Ordering::SeqCst);
                        holders.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(taken.load(Ordering::SeqCst) > 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Lock::take(&folder.path().join("absent/x.lock")).is_err());
    }
}
