//! Why a folder cannot be used as a run.

use std::path::{Path, PathBuf};

use offkey_core::ErrorKind;

use crate::stages::Stage;

/// Why a folder cannot be used as a run.
///
/// ```
/// use offkey::{ErrorKind, FolderError};
///
/// let error = FolderError::Locked { path: "run".into() };
/// assert_eq!((error.kind(), error.hint().as_deref()), (ErrorKind::Failed, Some("wait for it, or end it")));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The output folder holds a run already.
    #[error("`{}` is not empty", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The output folder holds something already, and it is no run.
    #[error("`{}` is not empty", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A folder is not a run.
    #[error("`{}` is no run folder: {}", path.display(), lacks(path))]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// A run is meant, and the path holds a monitor.
    #[error("`{}` is the model file of a monitor, expected the folder of a run", path.display())]
    NotARunButMonitor {
        /// The file.
        path: PathBuf,
    },
    /// One run is meant, and there are several.
    #[error("`{}` contains one run per seed", path.display())]
    SeveralSeeds {
        /// The folder.
        path: PathBuf,
        /// The first seed's run.
        first: PathBuf,
    },
    /// Another process works in the run.
    #[error("another process is working in `{}`", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A run cannot go on as another one.
    #[error("`{}` was begun with another {what}, and cannot go on as this one", path.display())]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// The pooled spectra are not those of the recipe.
    #[error("`{}` has {found} columns, expected {expected} by the recipe's `fusion`", path.display())]
    Columns {
        /// The array.
        path: PathBuf,
        /// Columns it has.
        found: usize,
        /// Columns that the recipe's spectra take.
        expected: usize,
    },
    /// A training that was interrupted left a network out.
    #[error("the training of `{}` is not finished: {done} of {networks} networks are there", run.display())]
    HalfTrained {
        /// The run.
        run: PathBuf,
        /// Networks that are there.
        done: usize,
        /// Networks that the recipe trains.
        networks: usize,
    },
    /// A stage needs what an earlier stage writes.
    #[error("`{}` is absent, and `{stage}` needs it", path.display())]
    StageMissing {
        /// The file or folder.
        path: PathBuf,
        /// The stage that was asked for.
        stage: Stage,
        /// The stage that writes it.
        run_first: Stage,
    },
}

impl FolderError {
    /// What kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. }
            | Self::Occupied { .. }
            | Self::NotARun { .. }
            | Self::NotARunButMonitor { .. }
            | Self::SeveralSeeds { .. }
            | Self::OtherRun { .. } => ErrorKind::Usage,
            Self::Locked { .. }
            | Self::HalfTrained { .. }
            | Self::StageMissing { .. }
            | Self::Columns { .. } => ErrorKind::Failed,
        }
    }

    /// What the reader can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Columns { .. } => "make the embeddings again: `offkey embed RUN`",
            Self::Exists { .. } => "choose another --out, or say --resume or --force",
            Self::Occupied { .. } => "name another folder with --out",
            Self::OtherRun { .. } => {
                "say --resume with what it was begun with, choose another --out, or say --force"
            }
            Self::NotARunButMonitor { .. } => {
                "`offkey check` and `offkey watch` judge recordings with it; `offkey score` and `offkey explain` take the folder that `offkey run` wrote"
            }
            Self::NotARun { path } if path.is_file() => {
                "name the folder of a run; a recording is scored with --run RUN"
            }
            Self::NotARun { .. } => {
                "name a folder that `offkey run --out` wrote, or an empty one to write to"
            }
            Self::SeveralSeeds { first, .. } => {
                return Some(format!("name one of them, as `{}`", first.display()));
            }
            Self::HalfTrained { run, .. } => {
                return Some(format!("finish it: `offkey train {} --resume`", run.display()));
            }
            Self::Locked { .. } => "wait for it, or end it",
            Self::StageMissing { run_first, .. } => {
                return Some(format!("run `offkey {run_first}` first"));
            }
        };
        Some(hint.to_owned())
    }
}

/// What a path has not that is meant as a run.
fn lacks(path: &Path) -> &'static str {
    if path.is_dir() {
        "it has no recipe.toml"
    } else if path.exists() {
        "it is a file"
    } else {
        "there is no such folder"
    }
}
