//! What is wrong with a data set as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dataset, Problem};
use crate::{Clip, Condition, Domain, Split, stems::check_stems};

impl Dataset {
    /// Finds the problems that are not one file's; called again whenever splits or truth change.
    pub(super) fn review(&mut self) {
        self.problems.retain(|problem| !is_of_the_whole(problem));
        let mut sections: BTreeMap<(&str, &str), Vec<&Clip>> = BTreeMap::new();
        let mut machines: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
        for clip in &self.clips {
            sections.entry((&clip.machine, &clip.section)).or_default().push(clip);
            if can_train(clip) {
                let domain = clip.domain.unwrap_or(Domain::Source);
                let kind = (&clip.section, &clip.attributes, domain);
                machines.entry(&clip.machine).or_default().insert(kind);
            }
        }
        let mut found = Vec::new();
        for ((machine, section), clips) in sections {
            found.extend(of_section(machine, section, &clips));
        }
        for (machine, kinds) in machines {
            if kinds.len() == 1 {
                found.push(Problem::OneClass { machine: machine.to_owned() });
            }
        }
        if let Err(error) = check_stems(&self.clips) {
            found.push(Problem::UnusableNames { reason: error.to_string() });
        }
        self.problems.extend(found);
        self.problems.sort();
        self.problems.dedup();
    }
}

fn of_section(machine: &str, section: &str, clips: &[&Clip]) -> Vec<Problem> {
    let (machine, section) = (machine.to_owned(), section.to_owned());
    let test: Vec<&&Clip> = clips.iter().filter(|clip| clip.split == Split::Test).collect();
    let unknown = test.iter().filter(|clip| clip.condition.is_none()).count();
    let is_target = |clip: &Clip| clip.domain == Some(Domain::Target);
    let training: Vec<&&Clip> = clips.iter().filter(|clip| can_train(clip)).collect();
    let mut found = Vec::new();
    if unknown > 0 {
        found.push(Problem::MissingTruth {
            machine: machine.clone(),
            section: section.clone(),
            clips: unknown,
            of: test.len(),
        });
    }
    let unassigned = |label| {
        let fits = |clip: &&&Clip| clip.split == Split::Unassigned && clip.condition == label;
        clips.iter().filter(fits).count()
    };
    if unassigned(None) > 0 {
        found.push(Problem::Unlabelled {
            machine: machine.clone(),
            section: section.clone(),
            clips: unassigned(None),
        });
    }
    let scored = test.len() + unassigned(Some(Condition::Anomaly));
    if training.is_empty() && scored > 0 {
        found.push(Problem::NoTraining { machine, section, clips: scored });
    } else if test.iter().any(|clip| is_target(clip))
        && !training.iter().any(|clip| is_target(clip))
    {
        found.push(Problem::NoTargetTraining { machine, section });
    }
    found
}

/// Training clips, and clips that [`Dataset::assign_splits`] may make training clips.
fn can_train(clip: &Clip) -> bool {
    match clip.split {
        Split::Train => true,
        Split::Unassigned => clip.condition == Some(Condition::Normal),
        Split::Test | Split::Supplemental => false,
    }
}

fn is_of_the_whole(problem: &Problem) -> bool {
    matches!(
        problem,
        Problem::UnusableNames { .. }
            | Problem::MissingTruth { .. }
            | Problem::Unlabelled { .. }
            | Problem::NoTraining { .. }
            | Problem::NoTargetTraining { .. }
            | Problem::OneClass { .. }
    )
}
