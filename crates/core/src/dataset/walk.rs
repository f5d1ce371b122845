//! All files below a folder, in a fixed order, with everything odd on the way noted.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use super::{DataError, Problem, error::io_error};
use crate::{names::is_audio, truth::is_truth_file};

/// What lies below a folder.
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

/// One recording's file.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The same file with all links resolved, to notice it when it is reached twice.
    pub(super) real: PathBuf,
}

/// Looks at everything below `root`; links are followed, loops are not.
pub(super) fn walk(root: &Path) -> Result<Walk, DataError> {
    let real = fs::canonicalize(root).map_err(io_error(root))?;
    let names = sorted_names(root).map_err(io_error(root))?;
    let mut walk = Walk::default();
    walk.enter(root, &names, &mut vec![real]);
    Ok(walk)
}

impl Walk {
    /// `above` holds the real paths of this folder, last, and of all folders passed on the way.
    fn enter(&mut self, folder: &Path, names: &[OsString], above: &mut Vec<PathBuf>) {
        for name in names {
            let path = folder.join(name);
            if name.to_string_lossy().starts_with('.') {
                self.ignored += 1;
            } else if let Err(error) = self.look(path.clone(), name, above) {
                // As text, so that the problem can be written down even where the name cannot.
                let path = PathBuf::from(path.to_string_lossy().into_owned());
                self.problems.push(Problem::Unreadable { path, reason: error.to_string() });
            }
        }
    }

    fn look(&mut self, path: PathBuf, name: &OsString, above: &mut Vec<PathBuf>) -> io::Result<()> {
        if name.to_str().is_none() {
            return Err(io::Error::other("its name is not valid UTF-8, so no table can hold it"));
        }
        let own = fs::symlink_metadata(&path)?;
        let (metadata, real) = match above.last() {
            Some(here) if !own.is_symlink() => (own, here.join(name)),
            _ => (fs::metadata(&path)?, fs::canonicalize(&path)?),
        };
        if metadata.is_dir() {
            if above.iter().any(|folder| folder.starts_with(&real)) {
                self.problems.push(Problem::SymlinkLoop { path });
                return Ok(());
            }
            let names = sorted_names(&path)?;
            above.push(real);
            self.enter(&path, &names, above);
            above.pop();
        } else if is_audio(&name.to_string_lossy()) {
            self.audio.push(Found { path, real });
        } else if is_truth_file(&path) {
            self.truth.push(path);
        } else {
            self.ignored += 1;
        }
        Ok(())
    }
}

fn sorted_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names: Vec<OsString> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}
