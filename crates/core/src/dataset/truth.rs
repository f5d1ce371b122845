//! Joining truth to clips.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{Dataset, Part, Problem};
use crate::{Condition, Split, Truth, truth::is_truth_file};

/// Folders that the challenge publishes truth in.
const TRUTH_FOLDERS: [&str; 4] =
    ["ground_truth", "ground_truth_data", "ground_truth_domain", "ground_truth_attributes"];

impl Dataset {
    /// Fills in labels, domains, attributes and groups that names leave open, joined by file name.
    ///
    /// What is known already stays; where truth disagrees, a problem says so. Attributes that the
    /// challenge hid stay hidden. A training clip that truth calls anomalous is left out.
    pub fn add_truth(&mut self, truth: &Truth) {
        let machines: BTreeSet<String> = self.clips.iter().map(|c| c.machine.clone()).collect();
        let truth = truth.named_as(&machines.iter().map(String::as_str).collect());
        let problems = &mut self.problems;
        for clip in &mut self.clips {
            let Some(entry) = truth.of_clip(clip) else { continue };
            let disagreements = [
                (clip.condition.map(|c| c.to_string()), entry.condition.map(|c| c.to_string())),
                (clip.domain.map(|d| d.to_string()), entry.domain.map(|d| d.to_string())),
            ];
            let trains = clip.split == Split::Train && entry.condition == Some(Condition::Anomaly);
            if trains {
                clip.condition = Some(Condition::Anomaly);
            }
            for (name_says, truth_says) in disagreements {
                if let (Some(name_says), Some(truth_says)) = (name_says, truth_says)
                    && name_says != truth_says
                    && !trains
                {
                    let path = clip.path.clone();
                    problems.push(Problem::NameAgainstTruth { path, name_says, truth_says });
                }
            }
            clip.fill(entry);
        }
        self.leave_out_anomalous_training();
        self.note_odd_truth(&truth);
        self.sort();
        self.review();
    }

    fn leave_out_anomalous_training(&mut self) {
        let problems = &mut self.problems;
        self.clips.retain(|clip| {
            let keep = clip.split != Split::Train || clip.condition != Some(Condition::Anomaly);
            if !keep {
                problems.push(Problem::AnomalyInTraining { path: clip.path.clone() });
            }
            keep
        });
    }

    fn note_odd_truth(&mut self, truth: &Truth) {
        let doubtful = truth.doubtful_files().iter();
        let doubtful = doubtful
            .map(|(file, rows)| Problem::TruthAgainstTruth { file: file.clone(), rows: *rows });
        let unused = truth.unused(self.clips.iter()).into_iter().filter_map(|unused| {
            let rows = unused.rows - unused.of_other_machines;
            (rows > 0).then_some(Problem::TruthWithoutClip {
                file: unused.file,
                rows,
                example: unused.example,
            })
        });
        self.problems.extend(doubtful.chain(unused));
    }

    /// Says so where truth that somebody asked for speaks of no clip at all. Truth of machines that
    /// are not there is no problem beside truth of machines that are.
    pub(super) fn note_unused_truth(&mut self, asked_for: &[Truth]) {
        for truth in asked_for {
            let unused = truth.unused(self.clips.iter());
            if unused.iter().map(|file| file.rows).sum::<usize>() < truth.len() {
                continue;
            }
            self.problems.extend(unused.into_iter().map(|unused| Problem::TruthWithoutClip {
                file: unused.file,
                rows: unused.rows,
                example: unused.example,
            }));
        }
        self.review();
    }
}

/// The truth that lies in or beside the data paths. Nobody asked for these files by name, so one that
/// cannot be understood is a problem, not an error.
pub(super) fn beside(parts: &[Part], problems: &mut Vec<Problem>) -> Truth {
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
pub(super) fn files_beside(folder: &Path) -> Vec<PathBuf> {
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
