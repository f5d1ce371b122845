//! Ground truth of evaluation sets, in every form the challenge published it.

mod form;
mod unused;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Clip, Condition, Domain, names::stem, walk::walk};

pub use unused::UnusedTruth;

/// What truth files say, joined by file name: never by order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    rows: BTreeMap<String, Vec<TruthRow>>,
    doubtful: BTreeMap<PathBuf, usize>,
}

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

/// One line of a truth file, with all that its file's name adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TruthRow {
    /// The clips it speaks of; `None` speaks of every machine.
    pub(crate) machine: Option<String>,
    /// `None` speaks of every section; file names of the challenge count sections themselves.
    pub(crate) section: Option<String>,
    /// Of which of 2021's two test folders.
    pub(crate) folder: Option<Domain>,
    /// File name without extension.
    pub(crate) stem: String,
    pub(crate) entry: TruthEntry,
    /// Label and domain are read off a full name, not stated.
    pub(crate) implied: bool,
    /// The file that says so.
    pub(crate) source: PathBuf,
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
    /// A file is no CSV.
    #[error("cannot read truth file `{}`", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: csv::Error,
    },
    /// A row says nothing that can be understood.
    #[error("`{}` line {line}: found `{found}`, expected {expected}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// Two rows disagree on one clip.
    #[error("`{}` says `{found}` of the {what} of `{file}`, another truth row says `{known}`", path.display())]
    Conflict {
        /// The file that disagrees with what was read before.
        path: PathBuf,
        /// Label, domain or group.
        what: &'static str,
        /// The clip's file name, without extension.
        file: String,
        /// What this row says.
        found: String,
        /// What an earlier row said.
        known: String,
    },
    /// A file holds no row that names a clip.
    #[error(
        "`{}` holds no truth, expected lines of a file name and 0 or 1, or a header that names its \
        columns, as `file,label`",
        path.display()
    )]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds no truth file.
    #[error(
        "no truth file below `{}`, looked for {}",
        path.display(),
        form::LOOKED_FOR
    )]
    NothingFound {
        /// The folder.
        path: PathBuf,
    },
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

impl TruthRow {
    pub(crate) fn speaks_of(&self, machine: &str, section: &str, domain: Option<Domain>) -> bool {
        self.machine.as_deref().is_none_or(|own| own == machine)
            && self.section.as_deref().is_none_or(|own| own == section)
            && (self.folder.is_none() || domain.is_none() || self.folder == domain)
    }
}

impl TruthRow {
    fn contradicts(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.is_some() && b.is_some() && a != b
        }
        !differ(self.machine.as_ref(), other.machine.as_ref())
            && !differ(self.section.as_ref(), other.section.as_ref())
            && !differ(self.folder.as_ref(), other.folder.as_ref())
            && (differ(self.entry.condition.as_ref(), other.entry.condition.as_ref())
                || differ(self.entry.domain.as_ref(), other.entry.domain.as_ref()))
    }
}

impl TruthEntry {
    /// What this entry says, and what `other` says where this one is silent. Attributes that the
    /// challenge hid (`noAttribute`) count as silence.
    fn or(self, other: Self) -> Self {
        let shown = |attributes: &String| attributes != HIDDEN_ATTRIBUTES;
        let attributes = match (self.attributes, other.attributes) {
            (Some(own), other) if shown(&own) || other.is_none() => Some(own),
            (_, other) => other,
        };
        Self {
            condition: self.condition.or(other.condition),
            domain: self.domain.or(other.domain),
            attributes,
            group: self.group.or(other.group),
        }
    }
}

/// What stands for attributes where the challenge gives none (2024 on).
pub(crate) const HIDDEN_ATTRIBUTES: &str = "noAttribute";

/// Whether a file's place and name say that it holds truth.
pub(crate) fn is_truth_file(path: &Path) -> bool {
    form::is_truth_file(path)
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

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TruthError + '_ {
    move |source| TruthError::Io { path: path.to_owned(), source }
}
