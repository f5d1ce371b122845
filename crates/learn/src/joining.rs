//! Models that are trained on some recordings and join the detector that the others calibrate.

use std::collections::{BTreeMap, BTreeSet};

use offkey_core::Seed;
use offkey_monitor::{MemberCard, Model};

use crate::request::Prepared;

/// Share of the recordings that a model is trained on.
const TRAINED_ON: f64 = 0.6;

/// Members that were trained.
pub(crate) struct Joining {
    pub(crate) members: Vec<MemberCard>,
    pub(crate) models: Vec<Model>,
    /// The groups they were trained on, which never calibrate.
    pub(crate) trained_on: BTreeSet<String>,
    pub(crate) explanation: String,
}

/// The groups to train on: a share of those of every class.
pub(crate) fn trained_on(recordings: &[Prepared], classes: &[u32], seed: Seed) -> BTreeSet<String> {
    let mut of_class: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for (recording, &class) in recordings.iter().zip(classes) {
        of_class.entry(class).or_default().insert(&recording.card.group);
    }
    let mut chosen = BTreeSet::new();
    for groups in of_class.into_values() {
        let mut groups: Vec<&str> = groups.into_iter().collect();
        groups.sort_by_key(|group| seed.child("train on").child(group).value());
        let wanted = (TRAINED_ON * groups.len() as f64).ceil() as usize;
        chosen.extend(groups.into_iter().take(wanted).map(str::to_owned));
    }
    chosen
}
