//! Which challenge year a set of clips comes from, as far as names tell.

use std::collections::BTreeSet;

use crate::{
    Clip, DcaseName, Split, Year,
    names::{FolderWord, MACHINES, NameForm},
};

/// The challenge year of clips, by their names alone; `None` where several years fit.
///
/// * 2020 has names of its own (`normal_id_00_00000000`), 2021 folders of its own (`source_test`), or
///   test names that state the domain but no attributes, in several sections of a machine.
/// * From 2023 on evaluation machines are new each year, so one of them tells; supplemental clips
///   of otherwise old machines tell 2025.
/// * Several sections of machines that the challenge knows, with test clips, tell 2022.
/// * The development sets of 2023 and 2024 have the same machines, sections and names: no year. All
///   years from 2022 on are scored alike, so nothing depends on it.
pub fn recognise_year(clips: &[&Clip]) -> Option<Year> {
    let names: Vec<DcaseName> =
        clips.iter().map(|clip| DcaseName::parse(clip.file_name())).collect::<Option<_>>()?;
    let forms: Vec<NameForm> = names.iter().map(|name| name.form).collect();
    if !forms.is_empty() && forms.iter().all(|form| *form == NameForm::MachineId) {
        return Some(Year::Y2020);
    }
    if forms.contains(&NameForm::MachineId) {
        return None;
    }
    let machines: BTreeSet<&str> = clips.iter().map(|clip| clip.machine.as_str()).collect();
    let sections: BTreeSet<(&str, &str)> =
        clips.iter().map(|clip| (clip.machine.as_str(), clip.section.as_str())).collect();
    let several_sections = sections.len() > machines.len();
    let mut test = names.iter().filter(|name| name.split == Some(Split::Test)).peekable();
    let plain_test = several_sections
        && test.peek().is_some()
        && test.all(|name| name.domain.is_some() && name.attributes.is_empty());
    if plain_test || clips.iter().any(|clip| in_domain_folder(clip)) {
        return Some(Year::Y2021);
    }
    let new: BTreeSet<Year> = machines
        .iter()
        .filter(|machine| !RETURNED.contains(machine))
        .filter_map(|machine| introduced(machine))
        .filter(|year| *year >= Year::Y2023)
        .collect();
    match new.len() {
        0 => year_without_new_machines(clips, &machines, several_sections),
        1 => new.first().copied(),
        _ => None,
    }
}

/// Machines that came back in 2026.
const RETURNED: [&str; 2] = ["ToyDrone", "ToothBrush"];

fn year_without_new_machines(
    clips: &[&Clip],
    machines: &BTreeSet<&str>,
    several_sections: bool,
) -> Option<Year> {
    let tells_nothing =
        |machine: &&str| RETURNED.contains(machine) || introduced(machine).is_none();
    if machines.iter().any(tells_nothing) {
        return None;
    }
    let has = |split| clips.iter().any(|clip| clip.split == split);
    if has(Split::Supplemental) {
        Some(Year::Y2025)
    } else if several_sections && has(Split::Test) {
        Some(Year::Y2022)
    } else {
        None
    }
}

fn introduced(machine: &str) -> Option<Year> {
    MACHINES.iter().find(|(_, machines)| machines.contains(&machine)).map(|(year, _)| *year)
}

/// Whether a clip lies in 2021's `source_test` or `target_test`.
fn in_domain_folder(clip: &Clip) -> bool {
    let folder = clip.path.parent().and_then(|folder| folder.file_name());
    folder.is_some_and(|folder| {
        matches!(FolderWord::parse(&folder.to_string_lossy()), Some(FolderWord::Split(_, Some(_))))
    })
}
