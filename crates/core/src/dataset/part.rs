//! What lies at one data path: a folder's clips or a manifest's, and the truth beside them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    DataError, Problem,
    folder::{Placed, Root},
    manifest, walk,
};
use crate::{Truth, names::is_audio, truth::is_truth_file};

/// Folders that the challenge publishes truth in.
const TRUTH_FOLDERS: [&str; 4] =
    ["ground_truth", "ground_truth_data", "ground_truth_domain", "ground_truth_attributes"];

/// How the files of a data set are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// The challenge's folders and names.
    Dcase,
    /// Machine folders with `normal/` and `anomaly/` or `abnormal/`, MIMII's `id_XX/`.
    Plain,
    /// A manifest CSV.
    Manifest,
    /// Several of them, merged.
    Mixed,
}

/// One data path, read.
pub(super) struct Part {
    pub(super) placed: Vec<Placed>,
    pub(super) layout: Layout,
    pub(super) ignored_files: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) truth_files: Vec<PathBuf>,
}

impl Part {
    /// Reads what lies at one data path.
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(DataError::Absent { path: path.to_owned() });
            }
            Err(source) => return Err(DataError::Io { path: path.to_owned(), source }),
        };
        if metadata.is_dir() {
            let manifest = path.join("manifest.csv");
            if manifest::is_manifest(&manifest) {
                read_manifest(&manifest)
            } else {
                read_folder(path)
            }
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            read_manifest(path)
        } else if is_audio(&path.file_name().unwrap_or_default().to_string_lossy()) {
            Ok(one_recording(path))
        } else {
            Err(DataError::NotAFolder { path: path.to_owned() })
        }
    }
}

fn read_manifest(path: &Path) -> Result<Part, DataError> {
    let (placed, problems) = manifest::read(path)?;
    if placed.is_empty() {
        return Err(DataError::NoClips { path: path.to_owned(), files: 1 });
    }
    let truth_files = truth_files_beside(path.parent().unwrap_or(Path::new("")));
    Ok(Part { placed, layout: Layout::Manifest, ignored_files: 0, problems, truth_files })
}

/// A recording that was named itself: what its folder says of it counts.
fn one_recording(path: &Path) -> Part {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (placed, problems) = match walk::one(path) {
        Ok(found) => (vec![Root::new(folder).place(found)], Vec::new()),
        Err(problem) => (Vec::new(), vec![problem]),
    };
    let is_challenge = placed.iter().any(|found| found.challenge);
    let layout = if is_challenge { Layout::Dcase } else { Layout::Plain };
    Part { placed, layout, ignored_files: 0, problems, truth_files: truth_files_beside(folder) }
}

fn read_folder(path: &Path) -> Result<Part, DataError> {
    let walk::Walk { audio, mut truth, ignored, mut problems } = walk::walk(path)?;
    let root = Root::new(path);
    let placed: Vec<Placed> = audio.into_iter().map(|found| root.place(found)).collect();
    if placed.is_empty() {
        return Err(DataError::NoClips { path: path.to_owned(), files: ignored + truth.len() });
    }
    let challenge = placed.iter().filter(|found| found.challenge).count();
    let layout = if 2 * challenge > placed.len() { Layout::Dcase } else { Layout::Plain };
    let placed = without_strangers(placed, &mut problems);
    if let Ok(Some(above)) = path.canonicalize().map(|real| real.parent().map(Path::to_owned)) {
        truth.extend(truth_files_beside(&above));
    }
    Ok(Part { placed, layout, ignored_files: ignored, problems, truth_files: truth })
}

/// Leaves out files without challenge name among the files of a machine most of which have one.
fn without_strangers(placed: Vec<Placed>, problems: &mut Vec<Problem>) -> Vec<Placed> {
    let mut named: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for found in &placed {
        let (challenge, all) = named.entry(found.clip.machine.clone()).or_default();
        *challenge += usize::from(found.challenge);
        *all += 1;
    }
    let (kept, strangers): (Vec<Placed>, Vec<Placed>) =
        placed.into_iter().partition(|found| match named.get(&found.clip.machine) {
            Some((challenge, all)) => found.challenge || 2 * challenge <= *all,
            None => true,
        });
    problems.extend(
        strangers.into_iter().map(|found| Problem::UnparsableName { path: found.clip.path }),
    );
    kept
}

/// The truth that lies in or beside the data paths. Nobody asked for these files by name, so one that
/// cannot be understood is a problem, not an error.
pub(super) fn truth_beside(parts: &[Part], problems: &mut Vec<Problem>) -> Truth {
    let files: BTreeSet<PathBuf> = parts
        .iter()
        .flat_map(|part| &part.truth_files)
        .map(|file| file.canonicalize().unwrap_or_else(|_| file.clone()))
        .collect();
    let mut truth = Truth::default();
    for path in files {
        let read = Truth::read(&path).and_then(|found| truth.extend(found));
        if let Err(error) = read {
            problems.push(Problem::UnusableTruth { path, reason: error.to_string() });
        }
    }
    truth
}

/// Truth files in one folder, and in its folders that are named for truth.
fn truth_files_beside(folder: &Path) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let places = TRUTH_FOLDERS.iter().map(|name| folder.join(name));
    let mut files: Vec<PathBuf> = std::iter::once(folder.to_owned())
        .chain(places)
        .filter_map(|place| fs::read_dir(place).ok())
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| is_truth_file(path) && path.is_file())
        .collect();
    files.sort();
    files
}
