//! Real data sets, real names, published scores and truth.

use std::collections::BTreeMap;

use offkey_core::{
    Clip, Condition, Dataset, DcaseName, Domain, Layout, Split, Truth, Year, read_score_files,
};

use crate::common::{kinds, real_data};

fn count(dataset: &Dataset, fits: impl Fn(&Clip) -> bool) -> usize {
    dataset.clips.iter().filter(|clip| fits(clip)).count()
}

#[test]
fn every_challenge_sample_says_by_name_what_its_manifest_says() {
    let Some(path) = real_data("dcase_samples") else { return };
    let by_manifest = Dataset::read(&path).expect("a folder with a manifest");
    assert_eq!((by_manifest.clips.len(), by_manifest.layout), (234, Layout::Manifest));
    for clip in &by_manifest.clips {
        let name = DcaseName::parse(clip.file_name()).expect("an original name");
        assert_eq!(name.section, clip.section, "{}", clip.name);
        assert_eq!((name.domain, name.condition), (clip.domain, clip.condition), "{}", clip.name);
        assert_eq!(name.attributes, clip.attributes, "{}", clip.name);
    }
    for (folder, year, clips) in
        [("dcase2020", Some(Year::Y2020), 205), ("dcase2021", None, 1), ("dcase2023", None, 28)]
    {
        let dataset = Dataset::read(&path.join(folder)).expect("challenge folders");
        assert_eq!((dataset.year, dataset.clips.len()), (year, clips), "{folder}");
        assert_eq!(dataset.layout, Layout::Dcase);
        for clip in &dataset.clips {
            let same = by_manifest.clips.iter().find(|other| other.path == clip.path);
            let same = same.expect("the manifest has every clip");
            let known = |clip: &Clip| {
                (
                    clip.machine.clone(),
                    clip.section.clone(),
                    clip.split,
                    clip.condition,
                    clip.domain,
                )
            };
            assert_eq!(known(clip), known(same));
        }
    }
}

#[test]
fn uavmix_is_read_with_the_flights_of_its_truth() {
    let Some(path) = real_data("uavmix_dev") else { return };
    let dataset = Dataset::read(&path).expect("challenge folders");
    assert_eq!((dataset.year, dataset.layout), (None, Layout::Dcase));
    assert_eq!(dataset.clips_of(Split::Train).len(), 229);
    let test = dataset.clips_of(Split::Test);
    assert_eq!(test.len(), 200);
    assert!(test.iter().all(|clip| clip.group != clip.name && clip.group.contains("/ch")));
    assert!(dataset.clips.iter().all(|clip| clip.attributes.starts_with("mis_")));
    assert_eq!(kinds(&dataset), [""; 0]);
}

#[test]
fn mimii_folds_hold_out_what_they_say() {
    let Some(path) = real_data("mimii_dev") else { return };
    let mut prints = Vec::new();
    for fold in 0..5 {
        let dataset = Dataset::read(&path.join(format!("fold_{fold}.csv"))).expect("a manifest");
        assert_eq!(dataset.clips.len(), 368);
        let test_normals = count(&dataset, |clip| {
            clip.split == Split::Test && clip.condition == Some(Condition::Normal)
        });
        assert_eq!(test_normals, 32);
        let groups = |split| {
            let clips = dataset.clips_of(split).into_iter();
            clips.map(|clip| clip.group.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        assert!(groups(Split::Train).is_disjoint(&groups(Split::Test)));
        assert_eq!(kinds(&dataset), [""; 0]);
        prints.push(dataset.fingerprint().expect("sizes"));
    }
    prints.dedup();
    assert_eq!(prints.len(), 5, "each fold is a data set of its own");
    let folder = Dataset::read(&path).expect("machine folders with id_XX");
    assert_eq!((folder.clips.len(), folder.layout), (400, Layout::Plain));
    assert_eq!(count(&folder, |clip| clip.condition == Some(Condition::Anomaly)), 80);
}

#[test]
fn plain_folders_with_manifests_are_read() {
    for (part, clips, machines, anomalies) in [("bldc", 43, 1, 21), ("mimii_samples", 55, 4, 29)] {
        let Some(path) = real_data(part) else { continue };
        let dataset = Dataset::read(&path).expect("a folder with a manifest");
        let found: std::collections::BTreeSet<&str> =
            dataset.clips.iter().map(|clip| clip.machine.as_str()).collect();
        let anomalous = count(&dataset, |clip| clip.condition == Some(Condition::Anomaly));
        assert_eq!(
            (dataset.clips.len(), found.len(), anomalous),
            (clips, machines, anomalies),
            "{part}"
        );
    }
}

#[test]
fn published_scores_are_read_with_their_decisions() {
    for (part, rows, decided) in [
        ("metrics/dcase2021_dev_autoencoder", 8_621, true),
        ("metrics/dcase2021_dev_mobilenetv2", 8_621, true),
        ("metrics/mlperf_tiny_toycar", 2_459, false),
    ] {
        let Some(path) = real_data(part) else { continue };
        let scores = read_score_files(&path).expect("published score files").rows;
        assert_eq!(scores.len(), rows, "{part}");
        assert!(scores.iter().all(|row| row.clip.condition.is_some()), "{part}");
        assert!(scores.iter().all(|row| row.decision.is_some() == decided), "{part}");
        let clips: Vec<&Clip> = scores.iter().map(|row| &row.clip).collect();
        let year = if decided { Year::Y2021 } else { Year::Y2020 };
        assert_eq!(offkey_core::recognise_year(&clips), Some(year), "{part}");
    }
}

#[test]
fn official_truth_of_evaluation_sets_is_complete() {
    for (part, machine, section, file, condition, domain, attributes) in [
        (
            "2022",
            "slider",
            "04",
            "section_04_0001.wav",
            Condition::Anomaly,
            Domain::Target,
            "ac_0.10",
        ),
        (
            "2023",
            "ToyNscale",
            "00",
            "section_00_0000.wav",
            Condition::Anomaly,
            Domain::Source,
            "car_B2_spd_3_mic_1",
        ),
        (
            "2024",
            "HoveringDrone",
            "00",
            "section_00_0000.wav",
            Condition::Anomaly,
            Domain::Source,
            "id_B2_spd_2_mic_1",
        ),
        (
            "2024",
            "RoboticArm",
            "00",
            "section_00_0000.wav",
            Condition::Normal,
            Domain::Source,
            "weight15_BckgF",
        ),
    ] {
        let Some(path) = real_data(&format!("metrics/truth_{part}")) else { continue };
        let truth = Truth::read(&path).expect("official truth");
        let entry = truth.get(machine, section, None, file).expect("a clip of the evaluation set");
        assert_eq!((entry.condition, entry.domain), (Some(condition), Some(domain)), "{machine}");
        assert_eq!(entry.attributes.as_deref(), Some(attributes), "{machine}");
    }
}

#[test]
fn toy_attributes_of_2022_are_of_another_numbering() {
    let Some(path) = real_data("metrics/truth_2022") else { return };
    let truth = Truth::read(&path).expect("official truth");
    let machines: std::collections::BTreeSet<_> =
        truth.doubtful_files().keys().filter_map(|file| file.parent()?.file_name()).collect();
    assert_eq!(machines.into_iter().collect::<Vec<_>>(), ["ToyCar", "ToyTrain"]);
    assert_eq!(truth.doubtful_files().len(), 6);
    assert!(truth.doubtful_files().values().all(|rows| *rows > 100));
}

#[test]
fn official_truth_fills_an_evaluation_set() {
    let Some(path) = real_data("metrics/truth_2023") else { return };
    let files: Vec<String> =
        (0..200).map(|n| format!("Vacuum/test/section_00_{n:04}.wav")).collect();
    let tree = crate::common::Tree::new(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let dataset = Dataset::read_all(&[tree.root().to_owned()], &[path]).expect("an evaluation set");
    assert_eq!(dataset.year, Some(Year::Y2023));
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for clip in &dataset.clips {
        *counts.entry((clip.domain, clip.condition)).or_default() += 1;
    }
    assert_eq!(counts.len(), 4);
    assert!(counts.values().all(|clips| *clips == 50), "{counts:?}");
    assert_eq!(kinds(&dataset), ["no-training"]);
}
