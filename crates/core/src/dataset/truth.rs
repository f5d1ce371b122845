//! Joining truth to clips.

use std::collections::BTreeSet;

use super::{Dataset, Problem};
use crate::{Condition, Split, Truth};

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
