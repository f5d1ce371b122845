//! What clips are known by: the file name where it is alone in its section, else the path.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, folder::Placed};

/// Names all clips and says which names repeat.
pub(super) fn name_clips(placed: &mut [Placed]) -> Option<Problem> {
    for found in placed.iter_mut() {
        let name = found.relative.rsplit('/').next().unwrap_or(&found.relative);
        found.clip.name = name.to_owned();
    }
    let repeated = repeated_names(placed);
    for &index in repeated.values().flatten() {
        let found = &mut placed[index];
        found.clip.name.clone_from(&found.relative);
    }
    // Equal paths below different roots: only the whole path is left to tell them apart.
    for index in repeated_names(placed).into_values().flatten() {
        placed[index].clip.name = placed[index].clip.path.to_string_lossy().replace('\\', "/");
    }
    for found in placed.iter_mut().filter(|found| found.clip.group.is_empty()) {
        found.clip.group.clone_from(&found.clip.name);
    }
    let sections: BTreeSet<(&String, &String)> =
        repeated.keys().map(|(machine, section, _)| (machine, section)).collect();
    repeated.first_key_value().map(|((machine, section, name), _)| Problem::RepeatedNames {
        names: repeated.len(),
        sections: sections.len(),
        example: name.clone(),
        machine: machine.clone(),
        section: section.clone(),
    })
}

/// Machine, section and name of clips that share all three, with the clips' places.
fn repeated_names(placed: &[Placed]) -> BTreeMap<(String, String, String), Vec<usize>> {
    let mut places: BTreeMap<(String, String, String), Vec<usize>> = BTreeMap::new();
    for (index, found) in placed.iter().enumerate() {
        let clip = &found.clip;
        let key = (clip.machine.clone(), clip.section.clone(), clip.name.clone());
        places.entry(key).or_default().push(index);
    }
    places.retain(|_, clips| clips.len() > 1);
    places
}
