//! Splits for data sets that have none.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{Tree, shorts};
use offkey_core::{Clip, Condition, Dataset, Layout, Seed, Split};
use proptest::prelude::*;

fn dataset(clips: Vec<Clip>) -> Dataset {
    Dataset { clips, year: None, layout: Layout::Plain, ignored_files: 0, problems: Vec::new() }
}

fn any_clip() -> impl Strategy<Value = Clip> {
    let split =
        prop::sample::select(vec![Split::Unassigned, Split::Unassigned, Split::Train, Split::Test]);
    let label = prop::sample::select(vec![Some(Condition::Normal), Some(Condition::Anomaly), None]);
    ("[ab]", "0[0-1]", 0..9_u8, split, label, any::<u32>()).prop_map(
        |(machine, section, group, split, label, number)| {
            let domain = offkey_core::Domain::Source;
            let mut clip =
                crate::common::clip(&machine, &section, "", domain, &format!("{number}.wav"));
            clip.split = split;
            clip.condition = if split == Split::Train { Some(Condition::Normal) } else { label };
            clip.group = format!("group {group}");
            clip
        },
    )
}

fn key(clip: &Clip) -> (String, String, String) {
    (clip.machine.clone(), clip.section.clone(), clip.group.clone())
}

proptest! {
    #[test]
    fn every_clip_gets_a_split_and_only_normals_train(
        clips in prop::collection::vec(any_clip(), 0..60),
        seed in any::<u64>(),
        holdout in -0.5..1.5_f64,
    ) {
        let before: BTreeMap<String, Split> =
            clips.iter().map(|clip| (clip.name.clone(), clip.split)).collect();
        let mut data = dataset(clips);
        data.assign_splits(Seed::new(seed), holdout);
        for clip in &data.clips {
            prop_assert_ne!(clip.split, Split::Unassigned);
            if clip.split == Split::Train {
                prop_assert_eq!(clip.condition, Some(Condition::Normal));
            }
            if before[&clip.name] != Split::Unassigned {
                prop_assert_eq!(clip.split, before[&clip.name]);
            }
        }
    }

    #[test]
    fn groups_stay_together(
        clips in prop::collection::vec(any_clip(), 0..60),
        seed in any::<u64>(),
    ) {
        let free: Vec<Clip> =
            clips.into_iter().filter(|clip| clip.split == Split::Unassigned).collect();
        let mut data = dataset(free);
        data.assign_splits(Seed::new(seed), 0.3);
        let groups = |split| -> BTreeSet<_> { data.clips_of(split).into_iter().map(key).collect() };
        prop_assert!(groups(Split::Train).is_disjoint(&groups(Split::Test)));
    }

    #[test]
    fn the_order_of_files_does_not_matter(
        clips in prop::collection::vec(any_clip(), 0..40),
        seed in any::<u64>(),
    ) {
        let mut backwards = clips.clone();
        backwards.reverse();
        let [mut one, mut two] = [dataset(clips), dataset(backwards)];
        one.assign_splits(Seed::new(seed), 0.3);
        two.assign_splits(Seed::new(seed), 0.3);
        let splits = |data: &Dataset| -> BTreeSet<_> {
            data.clips.iter().map(|clip| (clip.name.clone(), clip.split)).collect()
        };
        prop_assert_eq!(splits(&one), splits(&two));
    }

    #[test]
    fn anomalies_do_not_choose_the_normals_that_train(
        normals in 2..30_usize,
        anomalies in 0..20_usize,
        seed in any::<u64>(),
    ) {
        let named = |kind: &str, count: usize, condition| -> Vec<Clip> {
            (0..count).map(|index| {
                let name = format!("{kind}_{index}.wav");
                let mut clip = crate::common::clip("a", "00", "", offkey_core::Domain::Source, &name);
                clip.split = Split::Unassigned;
                clip.condition = Some(condition);
                clip
            }).collect()
        };
        let normal = named("normal", normals, Condition::Normal);
        let both = [normal.clone(), named("anomaly", anomalies, Condition::Anomaly)].concat();
        let [mut alone, mut mixed] = [dataset(normal), dataset(both)];
        alone.assign_splits(Seed::new(seed), 0.2);
        mixed.assign_splits(Seed::new(seed), 0.2);
        let training = |data: &Dataset| -> Vec<String> {
            data.clips_of(Split::Train).iter().map(|clip| clip.name.clone()).collect()
        };
        prop_assert_eq!(training(&alone), training(&mixed));
        let held_out = normals - training(&alone).len();
        prop_assert_eq!(held_out, ((normals as f64 * 0.2).round() as usize).max(1));
    }
}

#[test]
fn a_plain_folder_becomes_a_training_and_a_test_set() {
    let tree = Tree::new(&[
        "pump/normal/a.wav",
        "pump/normal/b.wav",
        "pump/normal/c.wav",
        "pump/normal/d.wav",
        "pump/abnormal/e.wav",
    ]);
    let mut data = tree.read();
    data.assign_splits(Seed::new(1), 0.25);
    assert_eq!(data.clips_of(Split::Train).len(), 3);
    assert_eq!(data.clips_of(Split::Test).len(), 2);
    let again = shorts(&data);
    data.assign_splits(Seed::new(2), 0.5);
    assert_eq!(shorts(&data), again, "splits that exist stay");
    let chosen: BTreeSet<Vec<String>> = (0..20)
        .map(|seed| {
            let mut data = tree.read();
            data.assign_splits(Seed::new(seed), 0.25);
            shorts(&data)
        })
        .collect();
    assert!(chosen.len() > 1, "the seed chooses");
}
