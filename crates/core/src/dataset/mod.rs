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
mod part;
mod problem;
mod review;
mod split;
mod truth;
mod walk;
mod year;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::Serialize;

use crate::{Clip, Condition, Split, Truth, Year, digest::Digest};
use error::io_error;
use folder::Placed;
use part::{Part, truth_beside};

pub use error::DataError;
pub use naming::{MOST_MICROPHONES, without_microphone};
pub use official::{OfficialCheck, PartCheck};
pub use part::Layout;
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
            paths.iter().map(|path| Part::read(path)).collect::<Result<_, _>>()?;
        let layout = match parts.as_slice() {
            [] => return Err(DataError::NothingGiven),
            [first, rest @ ..] if rest.iter().all(|part| part.layout == first.layout) => {
                first.layout
            }
            _ => Layout::Mixed,
        };
        let mut problems = Vec::new();
        let mut known_truth = truth_beside(&parts, &mut problems);
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
