//! What clips are known by: the file name where it is alone in its section, else the path.

use std::collections::BTreeMap;

use super::{Problem, folder::Placed};

/// Names all clips and returns which names repeat. `placed` must be sorted.
pub(super) fn name_clips(placed: &mut [Placed]) -> Vec<Problem> {
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
    let mut problems: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    for (machine, section, name) in repeated.into_keys() {
        let (names, _) = problems.entry((machine, section)).or_insert((0, name));
        *names += 1;
    }
    problems
        .into_iter()
        .map(|((machine, section), (names, example))| Problem::RepeatedNames {
            machine,
            section,
            names,
            example,
        })
        .collect()
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
