//! Data sets: which clips there are, what is known of them, and what is wrong with them.

mod problem;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{Clip, Seed, Split, Truth, TruthError, Year};

pub use problem::Problem;

/// Share of the normal recordings of each section that is held out for testing where a data set
/// has no splits of its own [choice].
pub const DEFAULT_HOLDOUT: f64 = 0.2;

/// A data set as read from disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dataset {
    /// The clips, sorted by machine, section, split, domain and name.
    pub clips: Vec<Clip>,
    /// The challenge year, where names alone decide it.
    pub year: Option<Year>,
    /// How the files were laid out.
    pub layout: Layout,
    /// Files that are neither audio nor read as tables.
    pub ignored_files: usize,
    /// Everything that is wrong or worth knowing, in a fixed order.
    pub problems: Vec<Problem>,
}

/// How the files of a data set are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// The challenge's folders and names.
    Dcase,
    /// Machine folders, `normal/` and `anomaly/` or `abnormal/`, MIMII's `id_XX/`.
    Plain,
    /// A manifest CSV.
    Manifest,
    /// Several of them, merged.
    Mixed,
}

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Truth files are broken.
    #[error(transparent)]
    Truth(#[from] TruthError),
}

impl Dataset {
    /// Reads one data set: a folder in any known layout, or a manifest CSV.
    ///
    /// # Errors
    /// [`DataError`] when the path is absent, not readable, or holds no clip.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::read_all(&[path.to_owned()], None)
    }

    /// Reads and merges several data sets; `truth` adds ground truth to what lies beside the clips.
    ///
    /// # Errors
    /// [`DataError`] when a path is absent, not readable, or holds no clip.
    pub fn read_all(_paths: &[PathBuf], _truth: Option<&Path>) -> Result<Self, DataError> {
        todo!()
    }

    /// The clips of one split, in order.
    pub fn clips_of(&self, split: Split) -> Vec<&Clip> {
        self.clips.iter().filter(|clip| clip.split == split).collect()
    }

    /// Fills labels, domains, attributes and groups that names leave open.
    pub fn add_truth(&mut self, _truth: &Truth) {
        todo!()
    }

    /// Gives every [`Split::Unassigned`] clip a split.
    pub fn assign_splits(&mut self, _seed: Seed, _holdout: f64) {
        todo!()
    }

    /// SHA-256 over the sorted names and sizes of all clips, in hexadecimal.
    ///
    /// # Errors
    /// [`DataError::Io`] when a file's size cannot be asked.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        todo!()
    }
}
