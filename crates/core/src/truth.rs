//! Ground truth of evaluation sets, in every form the challenge published it.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{Condition, Domain};

/// What truth files say, joined by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {}

/// What is known of one clip; `None` where no file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TruthEntry {
    /// Normal or anomalous.
    pub condition: Option<Condition>,
    /// Source or target.
    pub domain: Option<Domain>,
    /// Attribute text.
    pub attributes: Option<String>,
    /// Recording session.
    pub group: Option<String>,
}

/// Why truth could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruthError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Truth {
    /// Reads a truth file, or every truth file below a folder.
    ///
    /// # Errors
    /// [`TruthError`] when nothing could be read or two files disagree.
    pub fn read(_path: &Path) -> Result<Self, TruthError> {
        todo!()
    }

    /// What is known of one clip. `file` is a file name or a path that ends in one; the extension
    /// does not matter. `domain`, where known, tells apart the equal names of 2021's two test folders.
    pub fn get(&self, _machine: &str, _domain: Option<Domain>, _file: &str) -> Option<TruthEntry> {
        todo!()
    }
}
