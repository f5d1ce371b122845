//! The auxiliary task's classes.

use crate::common::clip;
use offkey_core::{AuxiliaryTask, Clip, Domain, LabelError, Labels, Seed, Split};
use proptest::prelude::*;

fn clips() -> Vec<Clip> {
    vec![
        clip("pump", "00", "vel_5", Domain::Source, "a.wav"),
        clip("fan", "00", "vel_5", Domain::Source, "b.wav"),
        clip("fan", "01", "vel_5", Domain::Source, "c.wav"),
        clip("fan", "01", "vel_7", Domain::Source, "d.wav"),
        clip("fan", "01", "vel_7", Domain::Target, "e.wav"),
        clip("pump", "00", "vel_5", Domain::Source, "f.wav"),
    ]
}

/// Levels: machine, section, attributes, domain.
fn task([machine, section, attributes, domain]: [bool; 4]) -> AuxiliaryTask {
    AuxiliaryTask { machine, section, attributes, domain, ..AuxiliaryTask::default() }
}

fn labels(task: &AuxiliaryTask, clips: &[Clip]) -> Labels {
    let training: Vec<&Clip> = clips.iter().collect();
    task.labels(&training, None, Seed::new(1)).expect("training clips")
}

#[test]
fn there_is_one_class_per_distinct_tuple_of_enabled_levels() {
    for (task, classes, of_clip) in [
        (task([false, false, false, false]), &["all"][..], [0, 0, 0, 0, 0, 0]),
        (task([true, false, false, false]), &["fan", "pump"], [1, 0, 0, 0, 0, 1]),
        (task([true, true, false, false]), &["fan 00", "fan 01", "pump 00"], [2, 0, 1, 1, 1, 2]),
        (task([false, true, false, false]), &["00", "01"], [0, 0, 1, 1, 1, 0]),
        (task([false, false, false, true]), &["source", "target"], [0, 0, 0, 0, 1, 0]),
        (
            AuxiliaryTask::default(),
            &[
                "fan 00 vel_5 source",
                "fan 01 vel_5 source",
                "fan 01 vel_7 source",
                "fan 01 vel_7 target",
                "pump 00 vel_5 source",
            ],
            [4, 0, 1, 2, 3, 4],
        ),
    ] {
        let found = labels(&task, &clips());
        assert_eq!(
            (found.classes.as_slice(), found.of_clip.as_slice()),
            (&classes.iter().map(ToString::to_string).collect::<Vec<_>>()[..], &of_clip[..])
        );
    }
}

#[test]
fn attributes_can_be_chosen_by_name() {
    let clips: Vec<Clip> =
        ["vel_5_noise_rain", "vel_5_noise_wind", "vel_7_noise_rain", "noAttribute"]
            .map(|text| clip("fan", "00", text, Domain::Source, text))
            .to_vec();
    let found = |names: &[&str]| {
        let attribute_names = names.iter().map(ToString::to_string).collect();
        let only = AuxiliaryTask { attribute_names, ..task([false, false, true, false]) };
        labels(&only, &clips)
    };
    assert_eq!(found(&[]).of_clip, [1, 2, 3, 0], "the whole text");
    assert_eq!(found(&["vel"]).classes, ["all", "vel_5", "vel_7"]);
    assert_eq!(found(&["vel"]).of_clip, [1, 1, 2, 0]);
    assert_eq!(found(&["noise"]).of_clip, [1, 2, 1, 0]);
    assert_eq!(found(&["noise", "vel"]).of_clip, found(&[]).of_clip, "in the text's own order");
}

#[test]
fn a_task_of_one_class_takes_in_further_levels_where_asked() {
    let of = |attributes: [&str; 3], domains: [Domain; 3]| -> Vec<Clip> {
        let pairs = attributes.into_iter().zip(domains).enumerate();
        pairs.map(|(n, (text, domain))| clip("fan", "00", text, domain, &n.to_string())).collect()
    };
    let narrow = task([true, false, false, false]);
    let wide = AuxiliaryTask { widen: true, ..narrow.clone() };
    let same = of(["a", "a", "a"], [Domain::Source; 3]);
    let differing = of(["a", "b", "a"], [Domain::Source, Domain::Source, Domain::Target]);
    let by_domain = of(["a", "a", "a"], [Domain::Source, Domain::Source, Domain::Target]);
    assert_eq!(labels(&narrow, &differing).of_clip, [0, 0, 0]);
    assert_eq!(labels(&wide, &differing).of_clip, [0, 1, 0], "attributes suffice");
    assert_eq!(labels(&wide, &by_domain).of_clip, [0, 0, 1]);
    assert_eq!(labels(&wide, &same).of_clip, [0, 0, 0], "nothing tells them apart");
    assert_eq!(labels(&wide, &clips()), labels(&narrow, &clips()), "two machines suffice");
}

#[test]
fn pseudo_attributes_are_a_further_level() {
    let clips = clips();
    let training: Vec<&Clip> = clips.iter().collect();
    let texts: Vec<String> = ["x", "x", "y", "x", "x", "y"].map(str::to_owned).to_vec();
    let task = task([true, false, false, false]);
    let found = task.labels(&training, Some(&texts), Seed::new(1)).expect("one text a clip");
    assert_eq!(found.classes, ["fan x", "fan y", "pump x", "pump y"]);
    assert_eq!(found.of_clip, [2, 0, 1, 0, 0, 3]);
    let short = task.labels(&training, Some(&texts[1..]), Seed::new(1));
    assert_eq!(short, Err(LabelError::PseudoAttributes { expected: 6, found: 5 }));
}

#[test]
fn test_clips_never_give_labels() {
    let mut clips = clips();
    clips[3].split = Split::Test;
    let training: Vec<&Clip> = clips.iter().collect();
    let error = AuxiliaryTask::default().labels(&training, None, Seed::new(1));
    assert!(matches!(error, Err(LabelError::NotTraining { name, .. }) if name == "d.wav"));
}

#[test]
fn attributes_that_join_to_the_same_text_are_still_different_classes() {
    let clips = [
        clip("fan 00", "", "x", Domain::Source, "a.wav"),
        clip("fan", "00", "x", Domain::Source, "b.wav"),
    ];
    let found = labels(&AuxiliaryTask::default(), &clips);
    assert_eq!(found.classes.len(), 2);
    assert_ne!(found.of_clip[0], found.of_clip[1]);
}

proptest! {
    #[test]
    fn classes_are_all_used_and_finer_levels_split_coarser_ones(
        rows in prop::collection::vec(("[ab]", "0[0-2]", "[xyz]?", any::<bool>()), 1..40),
        levels in prop::array::uniform4(any::<bool>()),
        added in 0..4_usize,
    ) {
        let clips: Vec<Clip> = rows.iter().map(|(machine, section, attributes, target)| {
            let domain = if *target { Domain::Target } else { Domain::Source };
            clip(machine, section, attributes, domain, "n.wav")
        }).collect();
        let mut finer = levels;
        finer[added] = true;
        let coarse = labels(&task(levels), &clips);
        let fine = labels(&task(finer), &clips);
        for class in 0..coarse.classes.len() as u32 {
            prop_assert!(coarse.of_clip.contains(&class));
        }
        prop_assert!(fine.classes.len() >= coarse.classes.len());
        for i in 0..clips.len() {
            for j in 0..clips.len() {
                if fine.of_clip[i] == fine.of_clip[j] {
                    prop_assert_eq!(coarse.of_clip[i], coarse.of_clip[j]);
                }
            }
        }
    }

    #[test]
    fn shuffled_labels_keep_the_size_of_every_class(seed in any::<u64>()) {
        let clips: Vec<Clip> = (0..30)
            .map(|i| clip(["fan", "pump", "saw"][i % 3], "00", "", Domain::Source, &i.to_string()))
            .collect();
        let training: Vec<&Clip> = clips.iter().collect();
        let control = AuxiliaryTask { shuffled: true, ..AuxiliaryTask::default() };
        let plain = labels(&AuxiliaryTask::default(), &clips);
        let dealt = control.labels(&training, None, Seed::new(seed)).expect("training clips");
        let again = control.labels(&training, None, Seed::new(seed)).expect("training clips");
        prop_assert_eq!(&dealt, &again);
        prop_assert_eq!(&dealt.classes, &plain.classes);
        let count = |labels: &Labels, class| labels.of_clip.iter().filter(|c| **c == class).count();
        for class in 0..3 {
            prop_assert_eq!(count(&dealt, class), count(&plain, class));
        }
        prop_assert_ne!(dealt.of_clip, plain.of_clip);
    }
}

#[test]
fn the_default_is_the_papers_task_and_unknown_levels_are_errors() {
    let read = |text: &str| serde_json::from_str::<AuxiliaryTask>(text);
    assert_eq!(read("{}").expect("all defaults"), task([true, true, true, true]));
    assert_eq!(
        read(r#"{"domain": false}"#).expect("one level off"),
        task([true, true, true, false])
    );
    assert!(read(r#"{"section_id": true}"#).is_err());
}

#[test]
fn a_domain_that_nobody_says_is_no_class_beside_the_source() {
    let mut clips: Vec<_> = ["a", "b", "c"]
        .map(|name| clip("fan", "00", "", Domain::Source, name))
        .into_iter()
        .collect();
    clips[1].domain = None;
    assert_eq!(labels(&task([true, true, true, true]), &clips).of_clip, [0, 0, 0]);
    clips[2].domain = Some(Domain::Target);
    let found = labels(&task([true, true, true, true]), &clips);
    assert_eq!(found.of_clip, [0, 0, 1]);
    assert_eq!(found.classes, ["fan 00 source", "fan 00 target"]);
}
