//! What recordings that are offered to a model share with each other and with those that it knows.

use std::{collections::BTreeMap, path::Path};

use offkey_core::dataset::{MOST_MICROPHONES, without_microphone};
use offkey_signal::Fingerprint;

use crate::{
    MonitorCard, RecordingCard,
    same_sound::{LEAST_SHARE, SameSound, closest, join, join_groups, same_sound},
};

/// What offered recordings share with each other and with known ones.
pub(crate) struct Shares {
    /// Known recordings, which are numbered first.
    known: usize,
    paths: Vec<String>,
    groups: Vec<String>,
    found: Vec<SameSound>,
}

impl Shares {
    /// Of recordings that are offered for the journal's entry of a number.
    pub(crate) fn of(card: &MonitorCard, offered: &[(&Path, &Fingerprint)], entry: u32) -> Self {
        let known: Vec<&RecordingCard> =
            card.recordings.iter().filter(|known| known.sound.is_some()).collect();
        let prints: Vec<_> = known.iter().filter_map(|known| known.sound.as_ref()).collect();
        let new: Vec<_> = offered.iter().map(|(_, sound)| *sound).collect();
        let found = same_sound(&prints, &new);
        let mut paths: Vec<String> = known.iter().map(|known| known.path.clone()).collect();
        let mut groups: Vec<String> = known.iter().map(|known| known.group.clone()).collect();
        for (path, _) in offered {
            paths.push(path.display().to_string());
            groups.push(format!("entry {entry}/{}", path.display()));
        }
        join_groups(&mut groups, &found);
        for (later, earlier) in microphones(&paths, prints.len()) {
            join(&mut groups, earlier, later);
        }
        Self { known: prints.len(), paths, groups, found }
    }

    /// That an offered recording is known, in words, where half of its sound is.
    pub(crate) fn known_sound(&self, number: usize) -> Option<String> {
        let is_known = |pair: &&SameSound| {
            pair.later == self.known + number
                && pair.earlier < self.known
                && pair.shared_s >= LEAST_SHARE * pair.later_s
        };
        let pairs: Vec<SameSound> = self.found.iter().filter(is_known).copied().collect();
        let pair = closest(&pairs).first().copied()?;
        Some(format!("{}: it is known already, and changes nothing", self.in_words(pair)))
    }

    /// That an offered recording counts as one with another, in words, where it does.
    pub(crate) fn counts_with(&self, number: usize) -> Option<String> {
        let own = |pair: &&SameSound| pair.later == self.known + number;
        let pairs: Vec<SameSound> = self.found.iter().filter(own).copied().collect();
        let pair = closest(&pairs).first().copied()?;
        Some(format!("{}: they count as one recording", self.in_words(pair)))
    }

    /// The recording session that an offered recording belongs to.
    pub(crate) fn group(&self, number: usize) -> String {
        self.groups[self.known + number].clone()
    }

    fn in_words(&self, pair: SameSound) -> String {
        pair.in_words(|number| self.paths[number].clone())
    }
}

/// Offered recordings, which are numbered from `known` on, with one before them of whose name theirs differs in the
/// microphone alone.
fn microphones(paths: &[String], known: usize) -> Vec<(usize, usize)> {
    let stem = |path: &str| {
        let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
        stem.to_lowercase()
    };
    let mut of_name: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
    for (number, path) in paths.iter().enumerate() {
        let stem = stem(path);
        let name = without_microphone(&stem).to_owned();
        if !name.is_empty() && name != stem {
            of_name.entry(name).or_default().push((stem, number));
        }
    }
    let few = of_name.into_values().filter(|files| files.len() <= MOST_MICROPHONES);
    let pairs = few.flat_map(|files| {
        let others = |at: usize| files[..at].iter().find(|before| before.0 != files[at].0);
        let of_each = (1..files.len()).filter_map(|at| Some((files[at].1, others(at)?.1)));
        of_each.filter(|(later, _)| *later >= known).collect::<Vec<_>>()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_whose_names_differ_in_the_microphone_alone_are_of_one_recording() {
        let pairs = |paths: &[&str], known| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            microphones(&paths, known)
        };
        assert_eq!(pairs(&["a/x_mic_0.wav", "a/y_mic_0.wav", "b/x_mic_4.wav"], 2), [(2, 0)]);
        assert_eq!(pairs(&["x_mic_0.wav", "x_mic_1.wav"], 0), [(1, 0)]);
        // The same name on another day is another recording, and so are many counted ones.
        assert_eq!(pairs(&["a/x_mic_0.wav", "b/x_mic_0.wav"], 1), []);
        let counted: Vec<String> = (0..12).map(|number| format!("fan_mic_{number}.wav")).collect();
        assert_eq!(microphones(&counted, 0), []);
    }
}
