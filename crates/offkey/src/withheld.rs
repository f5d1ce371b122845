//! The normal recordings that are kept for the threshold: neither trained on nor compared with.

use std::collections::{BTreeMap, BTreeSet};

use offkey_core::{Clip, Seed, Split};
use offkey_score::ThresholdConfig;
use rand::seq::SliceRandom;

use crate::SectionKey;

/// Places, among `clips`, of the training clips that a threshold withholds.
///
/// Of each section whole recordings (groups) are drawn by the seed; see [`ThresholdConfig::withheld`] for how many.
/// They are exchangeable with further normal recordings of the section, since neither the model nor the references
/// contain them: that is why the false-alarm rate can be stated. They stay out of the references afterwards, so that
/// the statement holds for every backend.
pub(crate) fn withheld(clips: &[Clip], threshold: &ThresholdConfig, seed: Seed) -> BTreeSet<usize> {
    let mut sections: BTreeMap<SectionKey, Vec<usize>> = BTreeMap::new();
    for (place, clip) in clips.iter().enumerate() {
        if clip.split == Split::Train {
            sections.entry(SectionKey::of(clip)).or_default().push(place);
        }
    }
    let mut found = BTreeSet::new();
    for (key, places) in sections {
        let groups: BTreeSet<&str> =
            places.iter().map(|&place| clips[place].group.as_str()).collect();
        let mut groups: Vec<&str> = groups.into_iter().collect();
        let count = threshold.withheld(groups.len());
        let seed = seed.child("withheld").child(&key.machine).child(&key.section);
        groups.shuffle(&mut seed.rng());
        let kept: BTreeSet<&str> = groups.into_iter().take(count).collect();
        found
            .extend(places.into_iter().filter(|&place| kept.contains(clips[place].group.as_str())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clips(count: usize) -> Vec<Clip> {
        let clip = |index: usize| Clip {
            path: format!("{index}.wav").into(),
            // Two files per recording.
            group: format!("{}", index / 2),
            name: format!("{index}.wav"),
            machine: "fan".to_owned(),
            section: "00".to_owned(),
            domain: None,
            split: if index % 5 == 4 { Split::Test } else { Split::Train },
            condition: None,
            attributes: String::new(),
        };
        (0..count).map(clip).collect()
    }

    #[test]
    fn whole_recordings_are_withheld_by_the_seed_and_never_test_clips() {
        let clips = clips(100);
        let held_out = ThresholdConfig::HeldOut { false_alarms: 0.1, share: 0.1 };
        let places = withheld(&clips, &held_out, Seed::new(1));
        assert_eq!(places, withheld(&clips, &held_out, Seed::new(1)));
        assert_ne!(places, withheld(&clips, &held_out, Seed::new(2)));
        let groups: BTreeSet<&str> =
            places.iter().map(|&place| clips[place].group.as_str()).collect();
        assert_eq!(groups.len(), 9);
        for (place, clip) in clips.iter().enumerate().filter(|(_, c)| c.split == Split::Train) {
            assert_eq!(places.contains(&place), groups.contains(clip.group.as_str()));
        }
        assert!(places.iter().all(|&place| clips[place].split == Split::Train));
        assert!(withheld(&clips, &ThresholdConfig::default(), Seed::new(1)).is_empty());
    }
}
