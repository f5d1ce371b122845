//! One run on disk: where each stage's files lie, who may write there, and the manifest.

mod error;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use offkey_core::{Lock, remove_abandoned};

pub use self::error::FolderError;
use crate::{
    OffkeyError, Stage,
    stages::{COMPACTNESS_FILE, LOSSES_FILE, MANIFEST_FILE, RECIPE_FILE, removable},
};

/// A run's folder. Holding a [`RunFolder`] that was created or opened for writing holds its lock.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Recipe, RunFolder, RunRequest, Silent, SynthConfig, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let folder = RunFolder::open_to_read(&out)?;
/// assert!(folder.metrics().is_file() && folder.report().is_file());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RunFolder {
    root: PathBuf,
    _lock: Option<Lock>,
}

/// What to do with a folder that already holds something.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Existing, FolderError, OffkeyError, RunFolder};
///
/// # let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("letter.txt"), "not a run")?;
/// let refused = RunFolder::create(folder.path(), Existing::Replace);
/// assert!(matches!(refused, Err(OffkeyError::Folder(FolderError::NotARun { .. }))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse.
    Refuse,
    /// Go on where the interrupted run stopped.
    Resume,
    /// Begin anew; the old run goes when the new one has something to put in its place.
    Replace,
}

impl RunFolder {
    /// Makes a run folder, or takes over one that exists as `existing` says, and locks it.
    ///
    /// # Errors
    /// [`FolderError::Exists`] when the folder holds a run and `existing` refuses,
    /// [`FolderError::NotARun`] when it holds other things, [`FolderError::Locked`] when
    /// another process works in it, [`crate::FileError::Io`] when it cannot be written.
    pub fn create(root: &Path, existing: Existing) -> Result<Self, OffkeyError> {
        let occupied = match fs::read_dir(root) {
            Ok(mut entries) => entries.any(|entry| entry.is_ok_and(|e| e.file_name() != ".lock")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(OffkeyError::io(root)(error)),
        };
        let is_run = root.join(RECIPE_FILE).is_file();
        if occupied && !is_run {
            return Err(FolderError::NotARun { path: root.to_owned() }.into());
        }
        if occupied && existing == Existing::Refuse {
            return Err(FolderError::Exists { path: root.to_owned() }.into());
        }
        fs::create_dir_all(root).map_err(OffkeyError::io(root))?;
        Ok(Self { root: root.to_owned(), _lock: Some(lock(root)?) })
    }

    /// Opens a finished or interrupted run to redo a stage, and locks it.
    ///
    /// # Errors
    /// [`FolderError::NotARun`] when there is no run, [`FolderError::Locked`] when it is in use.
    pub fn open(root: &Path) -> Result<Self, OffkeyError> {
        let folder = Self::open_to_read(root)?;
        Ok(Self { _lock: Some(lock(root)?), ..folder })
    }

    /// Opens a run to read from it; takes no lock.
    ///
    /// # Errors
    /// [`FolderError::NotARun`] when there is no run.
    pub fn open_to_read(root: &Path) -> Result<Self, OffkeyError> {
        if !root.join(RECIPE_FILE).is_file() {
            return Err(FolderError::NotARun { path: root.to_owned() }.into());
        }
        Ok(Self { root: root.to_owned(), _lock: None })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The recipe as resolved, every default spelled out.
    pub fn recipe(&self) -> PathBuf {
        self.root.join(RECIPE_FILE)
    }

    /// Versions, device, seed, data fingerprint, durations, peak memory.
    pub fn manifest(&self) -> PathBuf {
        self.root.join(MANIFEST_FILE)
    }

    /// The clips this run knows, one a row.
    pub fn clips(&self) -> PathBuf {
        self.root.join("clips.csv")
    }

    /// The clips left out as unreadable, with the reason.
    pub fn skipped(&self) -> PathBuf {
        self.root.join("skipped.csv")
    }

    /// The trained model.
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }

    /// The model of one network of an ensemble, from 0; the first is the run's.
    pub(crate) fn network(&self, index: usize) -> PathBuf {
        network_folder(&self.model(), index)
    }

    /// The class of each training clip in the auxiliary task.
    pub fn classes(&self) -> PathBuf {
        self.model().join("classes.csv")
    }

    /// The training curve, one row a step.
    pub fn losses(&self) -> PathBuf {
        self.root.join(LOSSES_FILE)
    }

    /// Intra- and inter-class compactness, one row an epoch.
    pub fn compactness(&self) -> PathBuf {
        self.root.join(COMPACTNESS_FILE)
    }

    /// Embeddings of references and test clips.
    pub fn embeddings(&self) -> PathBuf {
        self.root.join("embeddings")
    }

    /// Anomaly scores and decisions, and the challenge's own files.
    pub fn scores(&self) -> PathBuf {
        self.root.join("scores")
    }

    /// Scores of plain statistics, one table per baseline.
    pub fn baselines(&self) -> PathBuf {
        self.root.join("baselines")
    }

    /// The metrics.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.json")
    }

    /// Quantities the page draws scores against, beside those among the attributes.
    pub fn covariates(&self) -> PathBuf {
        self.root.join("covariates.csv")
    }

    /// The numbers behind the page's charts, one table each.
    pub fn figures(&self) -> PathBuf {
        self.root.join("figures")
    }

    /// What the page says of the clips it shows.
    pub fn shown_clips(&self) -> PathBuf {
        self.root.join("shown_clips.json")
    }

    /// The page.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// Removes the run that the folder holds, and nothing else.
    pub(crate) fn clear(&self) -> Result<(), OffkeyError> {
        let seeds = seed_folders(&self.root)?.into_iter().map(|(_, folder)| folder);
        let old = removable().map(|name| self.root.join(name));
        seeds.chain(old).try_for_each(|path| remove(&path))
    }

    /// Removes the files of a stage.
    pub(crate) fn clear_stage(&self, stage: Stage) -> Result<(), OffkeyError> {
        stage.files().try_for_each(|name| remove(&self.root.join(name)))
    }

    /// The folder that another stage should have written.
    ///
    /// # Errors
    /// [`FolderError::StageMissing`] when it is not there.
    pub(crate) fn require(
        path: PathBuf,
        stage: Stage,
        run_first: Stage,
    ) -> Result<PathBuf, OffkeyError> {
        if path.exists() {
            return Ok(path);
        }
        Err(FolderError::StageMissing { path, stage, run_first }.into())
    }
}

/// Where one network of an ensemble stands in a model folder.
pub(crate) fn network_folder(model: &Path, index: usize) -> PathBuf {
    if index == 0 { model.to_owned() } else { model.join(format!("network_{}", index + 1)) }
}

fn remove(path: &Path) -> Result<(), OffkeyError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OffkeyError::io(path)(error)),
        _ => Ok(()),
    }
}

/// The runs in subfolders of a run of several seeds, in the order of seeds.
pub(crate) fn seed_folders(root: &Path) -> Result<Vec<(u64, PathBuf)>, OffkeyError> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(root).map_err(OffkeyError::io(root))? {
        let path = entry.map_err(OffkeyError::io(root))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let seed = name.strip_prefix("seed_").and_then(|n| n.parse().ok());
        if let Some(seed) = seed.filter(|_| path.join(RECIPE_FILE).is_file()) {
            seeds.push((seed, path));
        }
    }
    seeds.sort_unstable();
    Ok(seeds)
}

/// Whether a run is that of one seed in a folder of several.
pub(crate) fn is_one_of_several(root: &Path) -> bool {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let seeds = root.parent().filter(|parent| parent.join(RECIPE_FILE).is_file()).map(seed_folders);
    matches!(seeds, Some(Ok(seeds)) if seeds.iter().any(|(_, folder)| *folder == root))
}

/// Refuses a folder of several seeds where one run is meant.
///
/// # Errors
/// [`FolderError::SeveralSeeds`] when it is one, [`FolderError::NotARun`] when there is no run.
pub(crate) fn refuse_several_seeds(root: &Path) -> Result<(), OffkeyError> {
    RunFolder::open_to_read(root)?;
    match seed_folders(root)?.into_iter().next() {
        Some((_, first)) => Err(FolderError::SeveralSeeds { path: root.to_owned(), first }.into()),
        None => Ok(()),
    }
}

/// Locks a folder for this process until what is returned is dropped. What killed runs left is removed.
fn lock(root: &Path) -> Result<Lock, OffkeyError> {
    let path = root.join(".lock");
    let taken = Lock::take(&path).map_err(OffkeyError::io(&path))?;
    let lock = taken.ok_or_else(|| FolderError::Locked { path: root.to_owned() })?;
    let folders = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for folder in folders.filter(|path| path.is_dir()).chain([root.to_owned()]) {
        // What cannot be removed hurts nobody.
        let _ = remove_abandoned(&folder);
    }
    Ok(lock)
}
