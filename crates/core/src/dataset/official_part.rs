//! A part of the challenge's official set: which clips it must hold.

use std::fmt;

use crate::{Clip, Condition, Domain, Split, Year};

/// One part of a year's official set: an archive, or one per machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfficialPart {
    /// The year.
    pub(super) year: Year,
    /// `development`, `additional training` or `evaluation`.
    pub(super) name: &'static str,
    /// Where the official archive is.
    pub(super) archive: &'static str,
    /// Something to know about the archive; empty for most.
    pub(super) note: &'static str,
    pub(super) machines: &'static [&'static str],
    pub(super) sections: Sections,
    pub(super) groups: &'static [Expected],
    /// Groups that differ from those above: machine, section, and what is there instead.
    pub(super) exceptions: &'static [(&'static str, &'static str, Expected)],
}

/// Sections, in 2020 machine ids, of the machines of a part.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sections {
    /// Every machine has these.
    Same(&'static [&'static str]),
    /// Each machine has its own, in the order of the machines.
    PerMachine(&'static [&'static [&'static str]]),
}

/// Clips of one kind in every section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) split: Split,
    /// None where names do not say.
    pub(super) domain: Option<Domain>,
    /// None where names do not say.
    pub(super) condition: Option<Condition>,
    pub(super) count: Count,
}

/// How many clips.
#[derive(Debug, Clone, Copy)]
pub(super) enum Count {
    /// Exactly so many.
    Exactly(usize),
    /// The data description says "around"; within a tenth of it is taken as right.
    Around(usize),
    /// Of all sections of each machine together, in the order of the machines.
    PerMachine(&'static [usize]),
    /// Some; how many is not stated anywhere.
    Some,
}

impl OfficialPart {
    /// Whether a clip is of this part, by its machine, its section and what it is for.
    pub(super) fn has(&self, clip: &Clip) -> bool {
        let Some(index) = self.machines.iter().position(|machine| clip.machine == *machine) else {
            return false;
        };
        self.sections_of(index).contains(&clip.section.as_str())
            && self.groups.iter().any(|group| group.split == clip.split)
    }

    /// Sections of the machine at this place.
    pub(super) fn sections_of(&self, machine: usize) -> &'static [&'static str] {
        match self.sections {
            Sections::Same(sections) => sections,
            Sections::PerMachine(sections) => sections[machine],
        }
    }

    /// How many clips of a kind a section must have.
    pub(super) fn count_of(&self, machine: &str, section: &str, group: &Expected) -> Count {
        let exception = self.exceptions.iter().find(|(of_machine, of_section, other)| {
            (*of_machine, *of_section) == (machine, section) && other.is_kind_of(group)
        });
        exception.map_or(group.count, |(_, _, other)| other.count)
    }
}

impl Expected {
    pub(super) fn has(&self, clip: &Clip) -> bool {
        self.split == clip.split
            && self.domain.is_none_or(|domain| clip.domain == Some(domain))
            && self.condition.is_none_or(|condition| clip.condition == Some(condition))
    }

    fn is_kind_of(&self, other: &Self) -> bool {
        (self.split, self.domain, self.condition) == (other.split, other.domain, other.condition)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.split)?;
        if let Some(domain) = self.domain {
            write!(f, " {domain}")?;
        }
        if let Some(condition) = self.condition {
            write!(f, " {condition}")?;
        }
        Ok(())
    }
}
