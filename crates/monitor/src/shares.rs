//! What recordings that are offered to a model share with each other and with those that it knows.

use std::path::Path;

use offkey_signal::Fingerprint;

use crate::{
    MonitorCard, RecordingCard,
    same_sound::{SameSound, closest, join_groups, same_sound},
};

/// From this share of known sound on a recording is known: half of it, less what its end may lack.
const KNOWN_SHARE: f64 = 0.45;

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
        Self { known: prints.len(), paths, groups, found }
    }

    /// That an offered recording is known, in words, where half of its sound is.
    pub(crate) fn known_sound(&self, number: usize) -> Option<String> {
        let is_known = |pair: &&SameSound| {
            pair.later == self.known + number
                && pair.earlier < self.known
                && pair.shared_s >= KNOWN_SHARE * pair.later_s
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
