//! Data sets: which clips there are, what is known of them, and what is wrong with them.
//!
//! Understood are the challenge's folders of 2020 to 2026 (a root of machine folders at any depth, or
//! one machine's folder), plain folders (machine folders with `normal/` and `anomaly/` or
//! `abnormal/`, MIMII's `id_XX/`), and manifests; see [`Dataset::read`].

mod error;
mod folder;
mod manifest;
mod naming;
mod official;
mod official_part;
mod official_table;
mod problem;
mod review;
mod split;
mod truth;
mod walk;
mod year;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::Serialize;

use crate::{Clip, Condition, Split, Truth, Year, digest::Digest};
use error::io_error;
use folder::{Placed, Root};

pub use error::DataError;
pub use official::{OfficialCheck, PartCheck};
pub use problem::Problem;
pub use split::DEFAULT_HOLDOUT;
pub use year::recognise_year;

/// A data set as read from disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dataset {
    /// The clips, sorted by machine, section, split, domain and name.
    pub clips: Vec<Clip>,
    /// The challenge year, where names decide it; see [`recognise_year`].
    pub year: Option<Year>,
    /// How the files are laid out.
    pub layout: Layout,
    /// Files that are neither recordings nor read as tables, hidden ones too.
    pub ignored_files: usize,
    /// Everything that is wrong or worth knowing, sorted.
    pub problems: Vec<Problem>,
}

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
struct Part {
    placed: Vec<Placed>,
    layout: Layout,
    ignored_files: usize,
    problems: Vec<Problem>,
    truth_files: Vec<PathBuf>,
}

impl Dataset {
    /// Reads one data set: a folder in any known layout, or a manifest CSV. A folder that holds a
    /// `manifest.csv` is read by it; truth files in a folder or beside it are joined.
    ///
    /// A clip's machine is the folder around `train`, `test`, `normal`, `anomaly`, `id_00` and the
    /// like; its section, domain, split and label come from its name and from those folders. A clip
    /// without section has section `00`. A clip is known by its file name, or, where that repeats
    /// within its section, by its path below the root. Clips without split stay
    /// [`Split::Unassigned`] until [`Dataset::assign_splits`].
    ///
    /// # Errors
    /// [`DataError`] when the path is absent, not readable, or holds no clip.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::read_all(&[path.to_owned()], &[])
    }

    /// Reads and merges several data sets; `truth` files or folders add to what lies beside the clips.
    ///
    /// # Errors
    /// [`DataError`] when no path is given, or one is absent, not readable, or holds no clip.
    pub fn read_all(paths: &[PathBuf], truth: &[PathBuf]) -> Result<Self, DataError> {
        let parts: Vec<Part> =
            paths.iter().map(|path| read_part(path)).collect::<Result<_, _>>()?;
        let layout = match parts.as_slice() {
            [] => return Err(DataError::NothingGiven),
            [first, rest @ ..] if rest.iter().all(|part| part.layout == first.layout) => {
                first.layout
            }
            _ => Layout::Mixed,
        };
        let mut problems = Vec::new();
        let mut known_truth = truth::beside(&parts, &mut problems);
        let asked_for: Vec<Truth> =
            truth.iter().map(|path| Truth::read(path)).collect::<Result<_, _>>()?;
        for truth in &asked_for {
            known_truth.extend(truth.clone()).map_err(DataError::Truth)?;
        }
        let mut dataset = Self {
            clips: Vec::new(),
            year: None,
            layout,
            ignored_files: parts.iter().map(|part| part.ignored_files).sum(),
            problems,
        };
        let mut placed = Vec::new();
        for part in parts {
            placed.extend(part.placed);
            dataset.problems.extend(part.problems);
        }
        dataset.take(placed);
        dataset.year = recognise_year(&dataset.clips.iter().collect::<Vec<_>>());
        dataset.add_truth(&known_truth);
        dataset.note_unused_truth(&asked_for);
        Ok(dataset)
    }

    /// The clips of one split, in order.
    pub fn clips_of(&self, split: Split) -> Vec<&Clip> {
        self.clips.iter().filter(|clip| clip.split == split).collect()
    }

    /// Takes all clips of unknown label and split as normal, as when somebody hands over recordings
    /// of a healthy machine.
    pub fn assume_normal(&mut self) {
        for clip in &mut self.clips {
            if clip.split == Split::Unassigned && clip.condition.is_none() {
                clip.condition = Some(Condition::Normal);
            }
        }
        self.review();
    }

    /// SHA-256, in hexadecimal, over all clips in order: what is known of them, and the content of
    /// their files. It does not depend on where the data set lies, and a recording that was
    /// replaced by another of the same size changes it.
    ///
    /// # Errors
    /// [`DataError::Io`] when a file cannot be read.
    pub fn fingerprint(&self) -> Result<String, DataError> {
        let of_file = |clip: &Clip| Digest::of_file(&clip.path).map_err(io_error(&clip.path));
        let contents: Vec<_> = self.clips.par_iter().map(of_file).collect::<Result<_, _>>()?;
        let mut digest = Digest::new();
        for (clip, content) in self.clips.iter().zip(contents) {
            let domain = clip.domain.map(|domain| domain.to_string()).unwrap_or_default();
            let label = clip.condition.map(|condition| condition.to_string()).unwrap_or_default();
            let split = clip.split.to_string();
            let fields = [
                &clip.machine,
                &clip.section,
                &clip.name,
                &domain,
                &split,
                &label,
                &clip.attributes,
                &clip.group,
            ];
            for field in fields {
                digest.add_field(field);
            }
            digest.add_field(content);
        }
        Ok(digest.hex())
    }

    /// Takes clips that were found: once each, named, and without training clips known as anomalous.
    fn take(&mut self, mut placed: Vec<Placed>) {
        // Of several ways to one file the shortest counts: the one through the fewest links.
        placed.sort_by_cached_key(|found| {
            (found.clip.path.components().count(), found.clip.path.clone())
        });
        let mut first_ways: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        placed.retain(|found| match first_ways.entry(found.real.clone()) {
            Entry::Vacant(way) => {
                way.insert(found.clip.path.clone());
                true
            }
            Entry::Occupied(first) => {
                let path = found.clip.path.clone();
                self.problems.push(Problem::SameFile { path, first: first.get().clone() });
                false
            }
        });
        placed.sort_by(|a, b| a.clip.path.cmp(&b.clip.path));
        self.problems.extend(placed.iter_mut().filter_map(|found| found.problem.take()));
        self.problems.extend(naming::name_clips(&mut placed));
        self.clips = placed.into_iter().map(|found| found.clip).collect();
        self.sort();
    }

    fn sort(&mut self) {
        self.clips.sort_by(|a, b| {
            (&a.machine, &a.section, a.split, a.domain, &a.name)
                .cmp(&(&b.machine, &b.section, b.split, b.domain, &b.name))
        });
    }
}

fn read_part(path: &Path) -> Result<Part, DataError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DataError::Absent { path: path.to_owned() });
        }
        Err(source) => return Err(DataError::Io { path: path.to_owned(), source }),
    };
    if metadata.is_dir() {
        let manifest = path.join("manifest.csv");
        if manifest::is_manifest(&manifest) { read_manifest(&manifest) } else { read_folder(path) }
    } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        read_manifest(path)
    } else {
        Err(DataError::NotAFolder { path: path.to_owned() })
    }
}

fn read_manifest(path: &Path) -> Result<Part, DataError> {
    let (placed, problems) = manifest::read(path)?;
    if placed.is_empty() {
        return Err(DataError::NoClips { path: path.to_owned(), files: 1 });
    }
    let truth_files = truth::files_beside(path.parent().unwrap_or(Path::new("")));
    Ok(Part { placed, layout: Layout::Manifest, ignored_files: 0, problems, truth_files })
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
        truth.extend(truth::files_beside(&above));
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
