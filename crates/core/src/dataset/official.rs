//! What the challenge's official set of a year must hold, and how a folder differs from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Dataset,
    official_part::{Count, Expected, OfficialPart},
    official_table::OFFICIAL_SETS,
};
use crate::{Clip, Split, Year};

/// How a folder differs from the official set of a year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfficialCheck {
    /// The year it was checked for.
    pub year: Year,
    /// One row per part of the official set.
    pub parts: Vec<PartCheck>,
    /// Machines that the official set of the year does not have.
    pub strangers: Vec<String>,
}

/// How a folder differs from one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartCheck {
    /// The part.
    pub name: &'static str,
    /// Clips of it that are there; 0 for a part that is not there at all, which is no fault.
    pub clips: usize,
    /// Where the official archive is.
    pub archive: &'static str,
    /// Something to know about the archive; empty for most.
    pub note: &'static str,
    /// What is missing or too much.
    pub faults: Vec<String>,
}

impl OfficialCheck {
    /// Whether at least one part is there and none has a fault.
    pub fn is_whole(&self) -> bool {
        self.strangers.is_empty()
            && self.parts.iter().any(|part| part.clips > 0)
            && self.parts.iter().all(|part| part.faults.is_empty())
    }
}

/// The parts of a year's official set.
fn official_parts(year: Year) -> impl Iterator<Item = &'static OfficialPart> {
    OFFICIAL_SETS.iter().filter(move |part| part.year == year)
}

impl Dataset {
    /// Counts the clips of every machine, section and kind against the official set of a year. A part of which no
    /// clip is there is left alone; of one that is there, everything must be.
    ///
    /// # Source
    /// The challenge's data descriptions; see `official_table.rs`.
    pub fn check_official(&self, year: Year) -> OfficialCheck {
        let known: BTreeSet<&str> =
            official_parts(year).flat_map(|part| part.machines).copied().collect();
        let machines: BTreeSet<&str> =
            self.clips.iter().map(|clip| clip.machine.as_str()).collect();
        OfficialCheck {
            year,
            parts: official_parts(year).map(|part| check_part(self, part)).collect(),
            strangers: machines.difference(&known).map(|name| (*name).to_owned()).collect(),
        }
    }
}

fn check_part(dataset: &Dataset, part: &OfficialPart) -> PartCheck {
    let of_part: Vec<&Clip> = dataset.clips.iter().filter(|clip| part.has(clip)).collect();
    let mut faults = Vec::new();
    if !of_part.is_empty() {
        for (index, machine) in part.machines.iter().enumerate() {
            let clips: Vec<&Clip> =
                of_part.iter().copied().filter(|clip| clip.machine == *machine).collect();
            if clips.is_empty() {
                faults.push(format!("{machine} is missing"));
            } else {
                check_machine(part, (machine, index), &clips, &mut faults);
            }
        }
    }
    let OfficialPart { name, archive, note, .. } = *part;
    PartCheck { name, clips: of_part.len(), archive, note, faults }
}

fn check_machine(
    part: &OfficialPart,
    (machine, index): (&str, usize),
    clips: &[&Clip],
    faults: &mut Vec<String>,
) {
    for group in part.groups {
        let found: Vec<&Clip> = clips.iter().copied().filter(|clip| group.has(clip)).collect();
        if let Count::PerMachine(counts) = group.count {
            compare(machine, *group, found.len(), Count::Exactly(counts[index]), faults);
            continue;
        }
        for section in part.sections_of(index) {
            let found = found.iter().filter(|clip| clip.section == *section).count();
            let count = part.count_of(machine, section, group);
            compare(&format!("{machine} section {section}"), *group, found, count, faults);
        }
    }
    check_numbers(part, machine, clips, faults);
}

/// Names count from 0 without gaps; the first gap of each kind is told.
fn check_numbers(part: &OfficialPart, machine: &str, clips: &[&Clip], faults: &mut Vec<String>) {
    let mut numbers: BTreeMap<(&str, usize), BTreeSet<usize>> = BTreeMap::new();
    for clip in clips {
        let name = crate::DcaseName::parse(clip.file_name());
        let number = name.as_ref().and_then(|name| name.number.parse().ok());
        // Names of the first year are numbered within each folder, supplemental ones in several ways.
        let counts = part.year != Year::Y2020 && clip.split != Split::Supplemental;
        if let (Some(number), true) = (number, counts) {
            let kind = part.groups.iter().position(|group| group.has(clip));
            if let Some(kind) = kind {
                numbers.entry((&clip.section, kind)).or_default().insert(number);
            }
        }
    }
    for ((section, kind), found) in numbers {
        let group = part.groups[kind];
        // Only where the count itself is stated: else a gap may be as published.
        let Count::Exactly(count) = part.count_of(machine, section, &group) else { continue };
        let missing: Vec<usize> = (0..count).filter(|number| !found.contains(number)).collect();
        if let Some(first) = missing.first() {
            faults.push(format!(
                    "{machine} section {section}, {group}: {} numbers are missing, the first is {first:04}",
                    missing.len()
                ));
        }
    }
}

fn compare(place: &str, group: Expected, found: usize, count: Count, faults: &mut Vec<String>) {
    let (fits, expected) = match count {
        Count::Exactly(count) => (found == count, count.to_string()),
        Count::Around(count) => (found.abs_diff(count) <= count / 10, format!("around {count}")),
        Count::Some => (found > 0, "some".to_owned()),
        Count::PerMachine(_) => return,
    };
    if !fits {
        faults.push(format!("{place}, {group}: {found} clips, expected {expected}"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::dataset::Layout;

    fn clip(machine: &str, name: &str) -> Clip {
        let parsed = crate::DcaseName::parse(name).expect("a challenge name");
        Clip {
            path: PathBuf::from(name),
            name: name.to_owned(),
            machine: machine.to_owned(),
            section: parsed.section,
            domain: parsed.domain,
            split: parsed.split.expect("said by the name"),
            condition: parsed.condition,
            attributes: parsed.attributes,
            group: name.to_owned(),
        }
    }

    fn whole_2023() -> Vec<Clip> {
        let mut clips = Vec::new();
        let machines = ["ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve"];
        let kinds = [
            ("source_train_normal", 990),
            ("target_train_normal", 10),
            ("source_test_normal", 50),
            ("source_test_anomaly", 50),
            ("target_test_normal", 50),
            ("target_test_anomaly", 50),
        ];
        for machine in machines {
            for (kind, count) in kinds {
                clips.extend((0..count).map(|number| {
                    clip(machine, &format!("section_00_{kind}_{number:04}_noAttribute.wav"))
                }));
            }
        }
        clips
    }

    fn checked(clips: Vec<Clip>, year: Year) -> OfficialCheck {
        let dataset = Dataset {
            clips,
            year: None,
            layout: Layout::Dcase,
            ignored_files: 0,
            problems: Vec::new(),
        };
        dataset.check_official(year)
    }

    #[test]
    fn a_whole_development_set_has_no_fault_and_other_parts_may_be_absent() {
        let check = checked(whole_2023(), Year::Y2023);
        assert!(check.is_whole(), "{check:?}");
        assert_eq!(check.parts[0].clips, 7 * 1200);
        assert!(check.parts[1..].iter().all(|part| part.clips == 0));
    }

    #[test]
    fn missing_clips_machines_and_strangers_are_named() {
        let mut clips = whole_2023();
        clips.retain(|clip| {
            clip.machine != "valve" && !clip.name.contains("source_train_normal_0123")
        });
        clips.push(clip("lathe", "section_00_source_train_normal_0000_noAttribute.wav"));
        let check = checked(clips, Year::Y2023);
        assert!(!check.is_whole());
        assert_eq!(check.strangers, ["lathe"]);
        let faults = &check.parts[0].faults;
        assert!(faults.contains(&"valve is missing".to_owned()), "{faults:?}");
        let count = "fan section 00, train source normal: 989 clips, expected 990";
        assert!(faults.contains(&count.to_owned()), "{faults:?}");
        let number =
            "fan section 00, train source normal: 1 numbers are missing, the first is 0123";
        assert!(faults.contains(&number.to_owned()), "{faults:?}");
    }

    #[test]
    fn nothing_of_a_year_is_not_whole() {
        assert!(!checked(Vec::new(), Year::Y2022).is_whole());
    }

    #[test]
    fn every_year_has_parts_with_an_archive_and_sections_for_every_machine() {
        for year in [Year::Y2020, Year::Y2021, Year::Y2022, Year::Y2023, Year::Y2024, Year::Y2025] {
            let parts: Vec<_> = official_parts(year).collect();
            assert_eq!(parts.len(), 3, "{year}");
            for part in parts {
                assert!(part.archive.starts_with("https://zenodo.org/records/"), "{year}");
                for machine in 0..part.machines.len() {
                    assert!(!part.sections_of(machine).is_empty());
                    for group in part.groups {
                        if let Count::PerMachine(counts) = group.count {
                            assert_eq!(counts.len(), part.machines.len());
                        }
                    }
                }
            }
        }
    }
}
