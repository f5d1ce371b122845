//! What clips are known by: the file name where it is alone in its section, else the path.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, folder::Placed};
use crate::names::stem;

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
    group_clips(placed);
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

/// More files than this whose names differ in a number behind the word for a microphone are no microphones of one
/// recording: they are recordings by one microphone, counted.
pub const MOST_MICROPHONES: usize = 8;

/// Groups the clips that nothing has grouped: those of one recording by several microphones
/// together, others each on its own.
fn group_clips(placed: &mut [Placed]) {
    let mut recordings: BTreeMap<(String, String, String), Vec<usize>> = BTreeMap::new();
    for (index, found) in placed.iter_mut().enumerate() {
        let clip = &mut found.clip;
        if !clip.group.is_empty() {
            continue;
        }
        clip.group.clone_from(&clip.name);
        if !found.challenge {
            let recording = recording_of(&found.relative);
            let key = (clip.machine.clone(), clip.section.clone(), recording);
            recordings.entry(key).or_default().push(index);
        }
    }
    for clips in recordings.into_values().filter(|clips| clips.len() <= MOST_MICROPHONES) {
        let name = placed[clips[0]].clip.name.clone();
        for index in clips {
            placed[index].clip.group.clone_from(&name);
        }
    }
}

/// A relative path without extension, and without words that name a microphone or channel:
/// `mic_1/0007.wav` and `mic_2/0007.wav` are one recording, as are `0007_ch0.wav` and `0007_ch1.wav`.
fn recording_of(relative: &str) -> String {
    let (folders, name) = relative.rsplit_once('/').unwrap_or(("", relative));
    let folders = folders.split('/').filter(|folder| !without_microphone(folder).is_empty());
    let name = stem(name);
    let name = match without_microphone(name) {
        "" => name,
        recording => recording,
    };
    folders.chain([name]).collect::<Vec<_>>().join("/")
}

/// A name without a microphone's or channel's at its end; empty where it is nothing else.
pub fn without_microphone(name: &str) -> &str {
    let parts = ['_', '-', ' ', '.'];
    let (head, last) = match name.rfind(parts) {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => ("", name),
    };
    let word = last.to_ascii_lowercase();
    if matches!(word.as_str(), "near" | "far" | "left" | "right")
        || MICROPHONES.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit()))
    {
        return head;
    }
    if word.len() <= 2 && word.chars().all(|c| c.is_ascii_alphanumeric()) {
        let (before, kind) = match head.rfind(parts) {
            Some(at) => (&head[..at], &head[at + 1..]),
            None => ("", head),
        };
        if MICROPHONES.contains(&kind.to_ascii_lowercase().as_str()) {
            return before;
        }
    }
    name
}

/// Words for microphones and channels.
const MICROPHONES: [&str; 5] = ["mic", "microphone", "ch", "chan", "channel"];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microphones_of_one_recording_are_told_from_recordings() {
        for [one, other] in [
            ["normal/mic_1/0007.wav", "normal/mic_2/0007.wav"],
            ["normal/0007_ch0.wav", "normal/0007_ch1.wav"],
            ["normal/0007-mic-a.wav", "normal/0007-mic-b.flac"],
            ["normal/0007 near.wav", "normal/0007 far.wav"],
            ["Left/0007.wav", "Right/0007.wav"],
            ["normal/0007.wav", "normal/0007.flac"],
        ] {
            assert_eq!(recording_of(one), recording_of(other), "{one} and {other}");
        }
        for [one, other] in [
            ["normal/0007.wav", "anomaly/0007.wav"],
            ["normal/day_1/0007.wav", "normal/day_2/0007.wav"],
            ["normal/mic_1.wav", "normal/mic_2.wav"],
            ["normal/pump_1.wav", "normal/pump_2.wav"],
            ["normal/dynamic.wav", "normal/static.wav"],
        ] {
            assert_ne!(recording_of(one), recording_of(other), "{one} and {other}");
        }
    }
}
