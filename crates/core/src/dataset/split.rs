//! Splits for data sets that have none.

use std::collections::{BTreeMap, BTreeSet};

use super::Dataset;
use crate::{Condition, Seed, Split};

/// Share of the normal recordings of each section that is held out for testing where a data set
/// has no splits of its own; our choice, no source gives one.
pub const DEFAULT_HOLDOUT: f64 = 0.2;

impl Dataset {
    /// Gives every [`Split::Unassigned`] clip a split; clips that have one keep it.
    ///
    /// * Anomalies, and clips of unknown label, are test clips.
    /// * Of the normals of each machine and section, the share `holdout` of **groups** (at least one,
    ///   never all) goes to the test set, chosen by a hash of `seed` and group name: the choice depends
    ///   neither on the order of files nor on other sections.
    /// * A group stays together: normals that share a group with a test clip or an anomaly are test
    ///   clips, normals that share one with a training clip are training clips.
    ///
    /// Only whether a clip is normal is looked at; what kind of anomaly there is, and how many, has no
    /// influence on which normals train.
    pub fn assign_splits(&mut self, seed: Seed, holdout: f64) {
        let mut sections: BTreeMap<(String, String), BTreeMap<String, Vec<usize>>> =
            BTreeMap::new();
        for (index, clip) in self.clips.iter().enumerate() {
            let section = (clip.machine.clone(), clip.section.clone());
            let groups = sections.entry(section).or_default();
            groups.entry(clip.group.clone()).or_default().push(index);
        }
        for ((machine, section), groups) in sections {
            let seed = seed.child("holdout").child(machine).child(section);
            self.assign_section(&groups, seed, holdout);
        }
        self.sort();
        self.review();
    }

    fn assign_section(&mut self, groups: &BTreeMap<String, Vec<usize>>, seed: Seed, holdout: f64) {
        let mut free: Vec<(u64, &String)> = Vec::new();
        let mut test: BTreeSet<&String> = BTreeSet::new();
        for (group, clips) in groups {
            let any = |split| clips.iter().any(|&clip| self.clips[clip].split == split);
            let unassigned_fault = clips.iter().any(|&clip| {
                self.clips[clip].split == Split::Unassigned
                    && self.clips[clip].condition != Some(Condition::Normal)
            });
            if any(Split::Test) || (unassigned_fault && !any(Split::Train)) {
                test.insert(group);
            } else if any(Split::Unassigned) && !any(Split::Train) {
                free.push((seed.child(group).value(), group));
            }
        }
        free.sort_unstable();
        let held_out = held_out(free.len(), holdout);
        test.extend(free.iter().take(held_out).map(|(_, group)| *group));
        for (group, clips) in groups {
            for &index in clips {
                let clip = &mut self.clips[index];
                if clip.split == Split::Unassigned {
                    let trains = clip.condition == Some(Condition::Normal) && !test.contains(group);
                    clip.split = if trains { Split::Train } else { Split::Test };
                }
            }
        }
    }
}

/// How many of `groups` to hold out: the nearest number, at least one, never all.
fn held_out(groups: usize, holdout: f64) -> usize {
    if holdout <= 0.0 || groups < 2 {
        return 0;
    }
    ((groups as f64 * holdout).round() as usize).clamp(1, groups - 1)
}
