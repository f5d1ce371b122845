//! Which rows of truth speak of the clips that are there.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Truth, row::TruthRow};
use crate::{Clip, names::stem};

/// Rows of a truth file that speak of no clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedTruth {
    /// The file.
    pub file: PathBuf,
    /// Rows that speak of no clip.
    pub rows: usize,
    /// Of these, rows of machines that are not there.
    pub of_other_machines: usize,
    /// All rows of the file.
    pub of: usize,
    /// The first such row's machine, where it names one, and file name.
    pub example: String,
}

impl Truth {
    /// All rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }

    /// The rows that speak of none of these clips, file by file; files all of whose rows are used
    /// are left out.
    pub fn unused<'a>(&self, clips: impl Iterator<Item = &'a Clip>) -> Vec<UnusedTruth> {
        let mut by_stem: BTreeMap<&str, Vec<&Clip>> = BTreeMap::new();
        let mut machines = BTreeSet::new();
        for clip in clips {
            by_stem.entry(stem(clip.file_name())).or_default().push(clip);
            machines.insert(clip.machine.as_str());
        }
        let truth = self.named_as(&machines);
        let mut files: BTreeMap<&PathBuf, UnusedTruth> = BTreeMap::new();
        for row in truth.rows.values().flatten() {
            let file = files.entry(&row.source).or_insert_with(|| UnusedTruth {
                file: row.source.clone(),
                rows: 0,
                of_other_machines: 0,
                of: 0,
                example: String::new(),
            });
            file.of += 1;
            let speaks_of = |clip: &&Clip| row.speaks_of(&clip.machine, &clip.section, clip.domain);
            if by_stem.get(row.stem.as_str()).is_some_and(|clips| clips.iter().any(speaks_of)) {
                continue;
            }
            // Better an example that should have been found than one of another machine.
            if file.rows == file.of_other_machines {
                file.example = example(row);
            }
            let is_there = |machine: &str| machines.contains(machine);
            file.rows += 1;
            file.of_other_machines +=
                usize::from(row.machine.as_deref().is_some_and(|machine| !is_there(machine)));
        }
        files.into_values().filter(|file| file.rows > 0).collect()
    }

    /// This truth with the names of machines written as those that are there, where the two differ
    /// in case alone: a file for `vacuum` speaks of the machine `Vacuum`, unless there are both.
    pub(crate) fn named_as(&self, machines: &BTreeSet<&str>) -> Cow<'_, Self> {
        let own: BTreeSet<&str> =
            self.rows.values().flatten().filter_map(|row| row.machine.as_deref()).collect();
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for name in own.iter().filter(|name| !machines.contains(*name)) {
            let alike = |set: &BTreeSet<&str>| {
                set.iter().filter(|other| other.eq_ignore_ascii_case(name)).count()
            };
            let there = machines.iter().find(|machine| machine.eq_ignore_ascii_case(name));
            if let Some(there) = there.filter(|_| alike(machines) == 1 && alike(&own) == 1) {
                names.insert(name, there);
            }
        }
        if names.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut named = self.clone();
        for row in named.rows.values_mut().flatten() {
            if let Some(name) = row.machine.as_deref().and_then(|name| names.get(name)) {
                row.machine = Some((*name).to_owned());
            }
        }
        Cow::Owned(named)
    }
}

fn example(row: &TruthRow) -> String {
    match &row.machine {
        Some(machine) => format!("{machine} {}", row.stem),
        None => row.stem.clone(),
    }
}
