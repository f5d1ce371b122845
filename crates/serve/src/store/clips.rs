//! Sound kept around events: files in a folder per machine, within a quota per machine and in total.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use super::{error::StoreError, ops::ClipRow};

/// How much sound is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of one machine at most.
    pub machine_bytes: u64,
    /// Bytes of all machines at most.
    pub total_bytes: u64,
}

/// The folder of sounds.
#[derive(Debug, Clone)]
pub struct ClipStore {
    folder: PathBuf,
}

impl ClipStore {
    /// Sounds in a folder of the store.
    pub fn new(store: &Path) -> Self {
        Self { folder: store.join("clips") }
    }

    /// Writes a sound so that it appears whole. `machine` is a checked name, `file` is ours.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be written.
    pub fn write(&self, machine: &str, file: &str, bytes: &[u8]) -> Result<String, StoreError> {
        let folder = self.folder.join(machine);
        let name = format!("{machine}/{file}");
        let path = self.folder.join(&name);
        let failed = |source: io::Error| StoreError::Io { path: path.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut written = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        written.write_all(bytes).map_err(failed)?;
        written.as_file().sync_data().map_err(failed)?;
        written.persist(&path).map_err(|error| failed(error.error))?;
        Ok(name)
    }

    /// Reads a sound whose name the database knows.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be read.
    pub fn read(&self, row: &ClipRow) -> Result<Vec<u8>, StoreError> {
        let path = self.path(&row.name);
        fs::read(&path).map_err(|source| StoreError::Io { path, source })
    }

    /// Where a sound lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes a sound; one that is gone already is no error.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it is there and cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Io { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Removes files that no row names, as a crash between file and row leaves them.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be searched.
    pub fn sweep(&self, rows: &[ClipRow]) -> Result<usize, StoreError> {
        let known: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let mut removed = 0;
        for machine in entries(&self.folder)? {
            let Some(folder) = machine.file_name().and_then(|name| name.to_str()) else { continue };
            for file in entries(&machine)? {
                let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
                let ours = file
                    .extension()
                    .is_none_or(|end| ["wav", "json", "tmp"].iter().any(|ours| end == *ours))
                    || name.starts_with(".tmp");
                if ours && !known.contains(format!("{folder}/{name}").as_str()) {
                    self.remove(&format!("{folder}/{name}"))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

impl Quota {
    /// Sounds to remove so that `bytes` more of a machine fit: of the older half, the least odd first.
    /// `rows` are all sounds, oldest first.
    pub fn to_remove<'a>(
        &self,
        rows: &'a [ClipRow],
        machine: &str,
        bytes: u64,
    ) -> Vec<&'a ClipRow> {
        let mut gone = Vec::new();
        let mut kept: Vec<&ClipRow> = rows.iter().collect();
        for (own, limit) in [(true, self.machine_bytes), (false, self.total_bytes)] {
            loop {
                let of: Vec<&ClipRow> =
                    kept.iter().copied().filter(|row| !own || row.machine == machine).collect();
                let held: u64 = of.iter().map(|row| row.bytes).sum();
                if of.is_empty() || held + bytes <= limit {
                    break;
                }
                let older = &of[..of.len().div_ceil(2)];
                let score = |row: &ClipRow| row.score.unwrap_or(f64::NEG_INFINITY);
                let least = older.iter().min_by(|a, b| score(a).total_cmp(&score(b)));
                let Some(&least) = least else { break };
                kept.retain(|row| row.name != least.name);
                gone.push(least);
            }
        }
        gone
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::Io { path: folder.to_owned(), source };
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
        Ok(found) => {
            let mut paths = found
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
                .map_err(failed)?;
            paths.sort();
            Ok(paths)
        }
    }
}
