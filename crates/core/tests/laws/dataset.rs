//! Reading data sets: every layout, and everything that can be wrong.

use std::fs;

use crate::common::{Tree, kinds, shorts};
use offkey_core::{DataError, Dataset, Layout, Problem, Split, Year};

fn check(files: &[&str], layout: Layout, year: Option<Year>, clips: &[&str]) {
    let dataset = Tree::new(files).read();
    assert_eq!(shorts(&dataset), clips);
    assert_eq!((dataset.layout, dataset.year), (layout, year));
}

#[test]
fn y2020_folders_are_read() {
    check(
        &[
            "dev_data/ToyCar/train/normal_id_01_00000000.wav",
            "dev_data/ToyCar/test/normal_id_01_00000000.wav",
            "dev_data/ToyCar/test/anomaly_id_01_00000001.wav",
            "eval_data/ToyCar/test/id_05_00000000.wav",
        ],
        Layout::Dcase,
        Some(Year::Y2020),
        &[
            "ToyCar 01 dev_data/ToyCar/train/normal_id_01_00000000.wav train - normal -",
            "ToyCar 01 anomaly_id_01_00000001.wav test - anomaly -",
            "ToyCar 01 dev_data/ToyCar/test/normal_id_01_00000000.wav test - normal -",
            "ToyCar 05 id_05_00000000.wav test - - -",
        ],
    );
}

#[test]
fn y2021_folders_tell_the_domain_of_neutral_names() {
    check(
        &[
            "fan/train/section_03_source_train_normal_0000.wav",
            "fan/source_test/section_03_0000.wav",
            "fan/target_test/section_03_0000.wav",
        ],
        Layout::Dcase,
        Some(Year::Y2021),
        &[
            "fan 03 section_03_source_train_normal_0000.wav train source normal -",
            "fan 03 fan/source_test/section_03_0000.wav test source - -",
            "fan 03 fan/target_test/section_03_0000.wav test target - -",
        ],
    );
}

#[test]
fn y2021_is_told_by_plain_test_names_too() {
    let tree = Tree::new(&[
        "m/test/section_00_source_test_normal_0000.wav",
        "m/test/section_01_target_test_anomaly_0000.wav",
    ]);
    assert_eq!(tree.read().year, Some(Year::Y2021));
    let one_section = Tree::new(&["m/test/section_00_source_test_normal_0000.wav"]);
    assert_eq!(one_section.read().year, None);
}

#[test]
fn y2022_is_told_by_its_sections() {
    check(
        &[
            "bearing/train/section_00_source_train_normal_0000_vel_5.wav",
            "bearing/train/section_01_target_train_normal_0000_vel_7.wav",
            "bearing/test/section_00_target_test_anomaly_0000_vel_9.wav",
        ],
        Layout::Dcase,
        Some(Year::Y2022),
        &[
            "bearing 00 section_00_source_train_normal_0000_vel_5.wav train source normal vel_5",
            "bearing 00 section_00_target_test_anomaly_0000_vel_9.wav test target anomaly vel_9",
            "bearing 01 section_01_target_train_normal_0000_vel_7.wav train target normal vel_7",
        ],
    );
}

#[test]
fn new_machines_tell_their_year_and_shared_ones_do_not() {
    let year_of = |machines: &[&str], file: &str| {
        let files: Vec<String> = machines.iter().map(|m| format!("{m}/{file}")).collect();
        Tree::new(&files.iter().map(String::as_str).collect::<Vec<_>>()).read().year
    };
    let test = "test/section_00_0000.wav";
    let supplemental = "supplemental/section_00_source_supplemental_machine_0000.wav";
    for (machines, file, year) in [
        (&["Vacuum", "ToyDrone"][..], test, Some(Year::Y2023)),
        (&["3DPrinter", "ToothBrush"], test, Some(Year::Y2024)),
        (&["Polisher", "fan"], test, Some(Year::Y2025)),
        (&["fan", "valve"], supplemental, Some(Year::Y2025)),
        (&["SewingMachine", "ToyDrone", "ToothBrush"], test, Some(Year::Y2026)),
        (&["ToyDrone"], test, None),
        (&["fan", "bearing"], test, None),
        (&["Vacuum", "Polisher"], test, None),
        (&["MyPump"], test, None),
    ] {
        assert_eq!(year_of(machines, file), year, "{machines:?} {file}");
    }
}

#[test]
fn supplemental_clips_are_neither_references_nor_test_clips() {
    check(
        &[
            "ToyCar/train/section_00_source_train_normal_0000_noAttribute.wav",
            "ToyCar/supplemental/section_00_source_supplemental_machine_0000.wav",
            "ToyCar/train/section_00_noise_supplemental_normal_0000.wav",
            "ToyCar/supplemental/section_00_0001.wav",
        ],
        Layout::Dcase,
        Some(Year::Y2025),
        &[
            "ToyCar 00 section_00_source_train_normal_0000_noAttribute.wav train source normal noAttribute",
            "ToyCar 00 section_00_0001.wav supplemental - - -",
            "ToyCar 00 section_00_noise_supplemental_normal_0000.wav supplemental - - noise_normal",
            "ToyCar 00 section_00_source_supplemental_machine_0000.wav supplemental source - machine",
        ],
    );
}

#[test]
fn one_machine_folder_and_one_split_folder_are_data_sets_too() {
    let tree = Tree::new(&[
        "fan/train/section_00_source_train_normal_0000.wav",
        "fan/test/section_00_source_test_normal_0000.wav",
    ]);
    let all = shorts(&tree.read());
    assert_eq!(shorts(&Dataset::read(&tree.path("fan")).expect("a machine folder")), all);
    assert_eq!(shorts(&Dataset::read(&tree.path("fan/train")).expect("a split folder")), all[..1]);
}

#[test]
fn mimii_folders_are_read_from_any_height() {
    let tree = Tree::new(&[
        "6_dB_fan/fan/id_00/normal/00000000.wav",
        "6_dB_fan/fan/id_00/abnormal/00000000.wav",
        "6_dB_fan/fan/id_02/normal/00000001.wav",
    ]);
    let dataset = tree.read();
    assert_eq!(dataset.layout, Layout::Plain);
    assert_eq!(
        shorts(&dataset),
        [
            "fan 00 6_dB_fan/fan/id_00/abnormal/00000000.wav - - anomaly -",
            "fan 00 6_dB_fan/fan/id_00/normal/00000000.wav - - normal -",
            "fan 02 00000001.wav - - normal -",
        ]
    );
    assert!(kinds(&dataset).contains(&"repeated-names"));
    for below in ["6_dB_fan/fan", "6_dB_fan/fan/id_00", "6_dB_fan/fan/id_00/normal"] {
        let part = Dataset::read(&tree.path(below)).expect("a part of the tree");
        assert!(part.clips.iter().all(|clip| clip.machine == "fan"), "{below}");
        assert_eq!(part.clips[0].section, "00", "{below}");
    }
}

#[test]
fn plain_folders_are_machines() {
    check(
        &[
            "pump/normal/monday/a.wav",
            "pump/normal/b.FLAC",
            "pump/Anomaly/c.wav",
            "saw/train/d.wav",
            "saw/test/abnormal/e.wav",
            "mill/normal_1.wav",
            "mill/anomaly_1.wav",
            "lathe/f.wav",
            "lathe/day 2/g.wav",
        ],
        Layout::Plain,
        None,
        &[
            "lathe 00 f.wav - - - -",
            "lathe 00 g.wav - - - -",
            "mill 00 anomaly_1.wav - - anomaly -",
            "mill 00 normal_1.wav - - normal -",
            "pump 00 a.wav - - normal -",
            "pump 00 b.FLAC - - normal -",
            "pump 00 c.wav - - anomaly -",
            "saw 00 d.wav train - normal -",
            "saw 00 e.wav test - anomaly -",
        ],
    );
}

#[test]
fn a_folder_of_recordings_alone_is_a_machine() {
    let tree = Tree::new(&["my pump/a.wav", "my pump/b.wav"]);
    let mut dataset = Dataset::read(&tree.path("my pump")).expect("a folder");
    assert_eq!(kinds(&dataset), ["unlabelled"]);
    assert_eq!(shorts(&dataset), ["my pump 00 a.wav - - - -", "my pump 00 b.wav - - - -"]);
    dataset.assume_normal();
    assert!(dataset.clips.iter().all(|clip| clip.condition.is_some()));
}

#[test]
fn odd_names_stay_as_they_are() {
    let names =
        ["a b.wav", "größe.wav", "<script>alert(1)<.wav", "-rf.wav", "'; drop.wav", "日本.wav"];
    let files: Vec<String> = names.iter().map(|name| format!("my pump/normal/{name}")).collect();
    let dataset = Tree::new(&files.iter().map(String::as_str).collect::<Vec<_>>()).read();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let found: Vec<&str> = dataset.clips.iter().map(|clip| clip.name.as_str()).collect();
    assert_eq!(found, expected);
    assert!(dataset.clips.iter().all(|clip| clip.group == clip.name));
}

#[test]
fn manifests_are_read_and_challenge_names_fill_their_gaps() {
    let tree =
        Tree::new(&["x/1.wav", "x/section_00_source_test_anomaly_0000_vel_5.wav", "x/2.wav"]);
    tree.write(
        "m.csv",
        "path,machine,section,domain,split,label,attributes,group,weather\n\
         x/1.wav,motor,M1,,,1,\"a, b\",run 7,rain\n\
         x/section_00_source_test_anomaly_0000_vel_5.wav,,,,,,,,\n\
         x/2.wav,motor,3,target,train,,,,sun\n\
         x/gone.wav,motor,,,,,,,\n",
    );
    let dataset = Dataset::read(&tree.path("m.csv")).expect("a manifest");
    let own = tree.root().file_name().expect("a name").to_string_lossy().into_owned();
    let mut expected = vec![
        format!("{own} 00 section_00_source_test_anomaly_0000_vel_5.wav test source anomaly vel_5"),
        "motor 03 2.wav train target normal -".to_owned(),
        "motor M1 1.wav - - anomaly a, b".to_owned(),
    ];
    expected.sort();
    let mut found = shorts(&dataset);
    found.sort();
    assert_eq!(found, expected);
    let grouped = dataset.clips.iter().find(|clip| clip.name == "1.wav").expect("the first row");
    assert_eq!(grouped.group, "run 7");
    let kinds = kinds(&dataset);
    assert!(kinds.contains(&"missing-file") && kinds.contains(&"unknown-columns"), "{kinds:?}");
    assert_eq!(dataset.layout, Layout::Manifest);
}

#[test]
fn manifests_may_be_written_with_backslashes() {
    let tree = Tree::new(&["x/y/1.wav"]);
    tree.write("m.csv", "path,machine\nx\\y\\1.wav,saw\n");
    let dataset = Dataset::read(&tree.path("m.csv")).expect("a manifest");
    assert_eq!(shorts(&dataset), ["saw 00 1.wav - - - -"]);
    assert!(dataset.fingerprint().is_ok(), "the path leads to the file");
}

#[test]
fn a_folder_is_read_by_its_manifest() {
    let tree = Tree::new(&["a.wav", "b.wav"]);
    tree.write("manifest.csv", "path,machine\na.wav,saw\n");
    assert_eq!(shorts(&tree.read()), ["saw 00 a.wav - - - -"]);
    tree.write("manifest.csv", "stage,seconds\ntrain,1\n");
    assert_eq!(tree.read().clips.len(), 2, "another kind of manifest is no manifest of clips");
}

#[test]
fn several_data_sets_merge_and_the_same_file_counts_once() {
    let tree =
        Tree::new(&["one/fan/normal/a.wav", "two/fan/normal/a.wav", "two/pump/normal/b.wav"]);
    let paths = [tree.path("one"), tree.path("two"), tree.path("one/fan")];
    let dataset = Dataset::read_all(&paths, &[]).expect("three data sets");
    let names: Vec<&str> = dataset.clips.iter().map(|clip| clip.name.as_str()).collect();
    let (one, two) = (tree.path("one/fan/normal/a.wav"), tree.path("two/fan/normal/a.wav"));
    assert_eq!(names, [one.to_str().expect("text"), two.to_str().expect("text"), "b.wav"]);
    assert_eq!(kinds(&dataset).iter().filter(|kind| **kind == "same-file").count(), 1);
    let mut backwards = paths.to_vec();
    backwards.reverse();
    let other = Dataset::read_all(&backwards, &[]).expect("three data sets");
    assert_eq!(shorts(&other).len(), 3);
}

#[test]
fn other_files_are_counted_not_read() {
    let tree = Tree::new(&[
        "fan/normal/a.wav",
        "fan/normal/._a.wav",
        ".hidden/b.wav",
        "notes.txt",
        "fan/c.pdf",
        "fan/wav",
    ]);
    let dataset = tree.read();
    assert_eq!((dataset.clips.len(), dataset.ignored_files), (1, 5));
}

#[test]
fn strangers_among_challenge_files_are_left_out_and_named() {
    let tree = Tree::new(&[
        "fan/train/section_00_source_train_normal_0000.wav",
        "fan/train/section_00_source_train_normal_0001.wav",
        "fan/train/copy of 0001.wav",
        "saw/normal/free name.wav",
    ]);
    let dataset = tree.read();
    assert_eq!(dataset.clips.len(), 3);
    let stranger = tree.path("fan/train/copy of 0001.wav");
    assert!(dataset.problems.contains(&Problem::UnparsableName { path: stranger }));
}

#[test]
fn where_name_and_folder_disagree_the_clip_does_not_train() {
    let tree = Tree::new(&[
        "fan/test/section_00_source_train_normal_0000.wav",
        "fan/train/section_00_source_test_normal_0000.wav",
        "fan/normal/section_00_0009.wav",
        "fan/normal/anomaly_id_00_00000000.wav",
    ]);
    let dataset = tree.read();
    assert!(dataset.clips_of(Split::Train).is_empty());
    let against = kinds(&dataset).iter().filter(|kind| **kind == "name-against-folder").count();
    assert_eq!(against, 3);
}

#[test]
fn anomalies_never_train() {
    let tree = Tree::new(&[
        "fan/train/section_00_source_train_anomaly_0000.wav",
        "fan/train/section_00_source_train_normal_0001.wav",
        "fan/train/section_00_source_train_normal_0002.wav",
    ]);
    tree.write("truth.csv", "file,label\nsection_00_source_train_normal_0002.wav,1\n");
    let dataset = tree.read();
    assert_eq!(
        shorts(&dataset),
        ["fan 00 section_00_source_train_normal_0001.wav train source normal -"]
    );
    let left_out = kinds(&dataset).iter().filter(|kind| **kind == "anomaly-in-training").count();
    assert_eq!(left_out, 2);
}

#[test]
fn truth_beside_the_clips_is_joined_by_name() {
    let tree = Tree::new(&[
        "fan/train/section_00_source_train_normal_0000.wav",
        "fan/test/section_00_0000.wav",
        "fan/test/section_00_0001.wav",
        "fan/test/section_00_0002.wav",
    ]);
    let name = "ground_truth_fan_section_00_test.csv";
    tree.write(
        &format!("ground_truth_data/{name}"),
        "section_00_0001.wav,1\nsection_00_0000.wav,0\nsection_00_0009.wav,0\n",
    );
    tree.write(
        &format!("ground_truth_domain/{name}"),
        "section_00_0001.wav,1\nsection_00_0000.wav,0\n",
    );
    tree.write(
        &format!("ground_truth_attributes/{name}"),
        "section_00_0001.wav,section_00_target_test_anomaly_0031_vel_9\n",
    );
    let expected = [
        "fan 00 section_00_source_train_normal_0000.wav train source normal -",
        "fan 00 section_00_0002.wav test - - -",
        "fan 00 section_00_0000.wav test source normal -",
        "fan 00 section_00_0001.wav test target anomaly vel_9",
    ];
    let dataset = tree.read();
    assert_eq!(shorts(&dataset), expected);
    assert_eq!(
        kinds(&dataset),
        ["truth-without-clip", "missing-truth", "no-target-training", "one-class"]
    );
    let machine = Dataset::read(&tree.path("fan")).expect("a machine folder beside its truth");
    assert_eq!(shorts(&machine), expected);
}

#[test]
fn a_truth_file_that_cannot_be_understood_is_named_and_left_out() {
    let tree = Tree::new(&["fan/train/section_00_source_train_normal_0000.wav"]);
    tree.write("attributes_of_my_life.csv", "a.wav,blue\n");
    tree.write("truth.csv", "file,label\nx.wav,0\n");
    tree.write("ground_truth.csv", "file,label\nx.wav,1\n");
    let dataset = tree.read();
    assert_eq!(dataset.clips.len(), 1);
    let unusable = kinds(&dataset).iter().filter(|kind| **kind == "unusable-truth").count();
    assert_eq!(unusable, 2);
    let named = Dataset::read_all(&[tree.path("fan")], &[tree.path("attributes_of_my_life.csv")]);
    assert!(matches!(named, Err(DataError::Truth(_))), "a file asked for by name must be read");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_is_left_out_and_named() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let tree = Tree::new(&["fan/normal/a.wav"]);
    let odd = tree.path("fan/normal").join(OsStr::from_bytes(b"b\xff.wav"));
    fs::write(odd, "").expect("a new file");
    let dataset = tree.read();
    assert_eq!(dataset.clips.len(), 1);
    assert!(kinds(&dataset).contains(&"unreadable"));
    assert!(serde_json::to_string(&dataset.problems).is_ok());
}

#[test]
fn what_a_data_set_lacks_is_said() {
    let tree = Tree::new(&[
        "fan/test/section_00_source_test_normal_0000.wav",
        "pump/train/section_00_source_train_normal_0000.wav",
        "pump/test/section_00_target_test_normal_0000.wav",
        "pump/test/section_00_0001.wav",
    ]);
    let dataset = tree.read();
    assert_eq!(
        kinds(&dataset),
        ["missing-truth", "no-training", "no-target-training", "one-class"]
    );
    for problem in &dataset.problems {
        let text = problem.to_string();
        assert!(text.contains("fan") || text.contains("pump"), "{text}");
        let json = serde_json::to_value(problem).expect("problems are plain data");
        assert!(json.get(problem.kind()).is_some(), "{json}");
    }
}

#[test]
fn what_cannot_be_a_data_set_is_a_clear_error() {
    let tree = Tree::new(&["notes/readme.txt", "a.wav", "b.csv"]);
    fs::create_dir(tree.path("empty")).expect("a new folder");
    tree.write("words.csv", "path,split\na.wav,trian\n");
    tree.write("gone.csv", "path,machine\nx.wav,fan\ny.wav,fan\n");
    for (below, expected) in [
        ("nowhere", "there is no file or folder"),
        ("empty", "empty`"),
        ("notes", "notes`, only 1 other file"),
        ("notes/readme.txt", "is no recording, no folder"),
        ("b.csv", "expected at least `path`"),
        ("words.csv", "line 2"),
        ("gone.csv", "none of the 2 files"),
    ] {
        let error = Dataset::read(&tree.path(below)).expect_err("nothing to read");
        assert!(error.to_string().contains(expected), "{below}: {error}");
    }
    assert!(matches!(Dataset::read_all(&[], &[]), Err(DataError::NothingGiven)));
    let error = Dataset::read(&tree.path("empty")).expect_err("nothing to read");
    assert!(error.hint().is_some_and(|hint| hint.contains("manifest.csv")), "{error}");
}
