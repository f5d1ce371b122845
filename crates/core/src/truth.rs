//! Ground truth of evaluation sets, in every form the challenge published it.

mod error;
mod form;
mod row;
mod unused;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Clip, Domain, names::stem, walk::walk};
use error::io_error;
pub(crate) use form::is_truth_file;
use row::TruthRow;

pub use error::TruthError;
pub use row::TruthEntry;
pub use unused::UnusedTruth;

/// What truth files say, joined by file name: never by order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    rows: BTreeMap<String, Vec<TruthRow>>,
    doubtful: BTreeMap<PathBuf, usize>,
}

impl Truth {
    /// Reads a truth file, or every truth file below a folder.
    ///
    /// Understood are, with or without a header line:
    /// * 2020: `eval_data_list.csv`: a line with the machine, then lines with the neutral name first
    ///   and the true name last;
    /// * 2021: `ground_truth_<machine>_section_SS_<source|target>_test.csv`, 1 = anomaly;
    /// * 2022 on: the same names without domain in `ground_truth_data` (1 = anomaly),
    ///   `ground_truth_domain` (1 = target) and `ground_truth_attributes` (the true name), and
    ///   `attributes_SS*.csv`;
    /// * a CSV with a header that names its columns: `file` (or `path`, `name`), and any of
    ///   `machine`, `section`, `label`, `domain`, `attributes`, `full_name`, `group`.
    ///
    /// Semicolons and tabs part cells as well as commas, and UTF-16 is text as well as UTF-8.
    ///
    /// # Errors
    /// [`TruthError`] when nothing could be read, a row is not understood, or two rows disagree.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let metadata = fs::metadata(path).map_err(io_error(path))?;
        let files = if metadata.is_dir() { find(path)? } else { vec![path.to_owned()] };
        if files.is_empty() {
            return Err(TruthError::NothingFound { path: path.to_owned() });
        }
        let mut truth = Self::default();
        for file in &files {
            for row in form::read(file)? {
                truth.insert(row)?;
            }
        }
        truth.weigh();
        Ok(truth)
    }

    /// Adds all that another truth says.
    ///
    /// # Errors
    /// [`TruthError::Conflict`] when the two disagree; then nothing is added.
    pub fn extend(&mut self, other: Self) -> Result<(), TruthError> {
        let mut both = self.clone();
        other.rows.into_values().flatten().try_for_each(|row| both.insert(row))?;
        both.weigh();
        *self = both;
        Ok(())
    }

    /// Files whose full names contradict labels or domains that other files state, and in how many
    /// rows. Such a file was made for another numbering of the clips, so nothing in it is believed.
    ///
    /// The official attribute files of `ToyCar` and `ToyTrain` in 2022 are of this kind.
    pub fn doubtful_files(&self) -> &BTreeMap<PathBuf, usize> {
        &self.doubtful
    }

    /// What is known of one clip. `file` is a file name or a path that ends in one; its audio
    /// extension does not matter. `domain`, where known, tells apart the equal names of 2021's two
    /// test folders.
    pub fn get(
        &self,
        machine: &str,
        section: &str,
        domain: Option<Domain>,
        file: &str,
    ) -> Option<TruthEntry> {
        let rows = self.rows.get(stem(file))?.iter().filter(|row| {
            row.speaks_of(machine, section, domain) && !self.doubtful.contains_key(&row.source)
        });
        let (implied, stated): (Vec<&TruthRow>, Vec<&TruthRow>) = rows.partition(|row| row.implied);
        let known = stated.into_iter().chain(implied).map(|row| row.entry.clone());
        known.reduce(TruthEntry::or)
    }

    /// What is known of one clip.
    pub fn of_clip(&self, clip: &Clip) -> Option<TruthEntry> {
        self.get(&clip.machine, &clip.section, clip.domain, clip.file_name())
    }

    fn insert(&mut self, row: TruthRow) -> Result<(), TruthError> {
        let rows = self.rows.entry(row.stem.clone()).or_default();
        let same = |other: &TruthRow| {
            (&other.machine, &other.section, other.folder, other.implied)
                == (&row.machine, &row.section, row.folder, row.implied)
        };
        match rows.iter_mut().find(|other| same(other)) {
            Some(known) => {
                conflict("label", known, &row, |entry| entry.condition.as_ref())?;
                conflict("domain", known, &row, |entry| entry.domain.as_ref())?;
                conflict("group", known, &row, |entry| entry.group.as_ref())?;
                known.entry = std::mem::take(&mut known.entry).or(row.entry);
            }
            None => rows.push(row),
        }
        Ok(())
    }

    /// Finds the files that full names make doubtful.
    fn weigh(&mut self) {
        let mut doubtful: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for rows in self.rows.values() {
            for row in rows.iter().filter(|row| row.implied) {
                if rows.iter().any(|other| !other.implied && other.contradicts(row)) {
                    *doubtful.entry(row.source.clone()).or_default() += 1;
                }
            }
        }
        self.doubtful = doubtful;
    }
}

fn conflict<T: PartialEq + ToString>(
    what: &'static str,
    first: &TruthRow,
    second: &TruthRow,
    get: impl Fn(&TruthEntry) -> Option<&T>,
) -> Result<(), TruthError> {
    match (get(&first.entry), get(&second.entry)) {
        (Some(known), Some(found)) if known != found => Err(TruthError::Conflict {
            path: second.source.clone(),
            what,
            file: second.stem.clone(),
            found: found.to_string(),
            known: known.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Truth files below a folder, sorted.
fn find(folder: &Path) -> Result<Vec<PathBuf>, TruthError> {
    let files = walk(folder).map_err(io_error(folder))?.files.into_iter();
    Ok(files.map(|found| found.path).filter(|path| is_truth_file(path)).collect())
}
