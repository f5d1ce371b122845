//! Truth files in every official form.

use offkey_core::{Condition, Dataset, Domain, Truth, TruthEntry, TruthError};

use crate::common::{Tree, kinds};

const ANOMALY: Option<Condition> = Some(Condition::Anomaly);
const NORMAL: Option<Condition> = Some(Condition::Normal);

fn read(file: &str, text: &str) -> Truth {
    let tree = Tree::new(&[]);
    tree.write(file, text);
    Truth::read(&tree.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn entry(truth: &Truth, machine: &str, domain: Option<Domain>, file: &str) -> TruthEntry {
    truth.get(machine, "00", domain, file).unwrap_or_else(|| panic!("nothing on `{file}`"))
}

#[test]
fn y2020_list_names_machines_on_lines_of_their_own() {
    let truth = read(
        "eval_data_list.csv",
        "fan\nid_01_00000000.wav,id_01_00000000.wav,normal_id_01_00000098.wav\n\
         id_01_00000001.wav,x,anomaly_id_01_00000007.wav\nToyCar,,\n\
         id_01_00000000.wav,x,anomaly_id_01_00000003.wav\n",
    );
    assert_eq!(entry(&truth, "fan", None, "id_01_00000000.wav").condition, NORMAL);
    assert_eq!(entry(&truth, "fan", None, "id_01_00000001.wav").condition, ANOMALY);
    assert_eq!(entry(&truth, "ToyCar", None, "id_01_00000000.wav").condition, ANOMALY);
    assert_eq!(truth.get("pump", "01", None, "id_01_00000000.wav"), None);
}

#[test]
fn y2021_files_tell_the_domain_of_equal_names() {
    let tree = Tree::new(&[]);
    tree.write("ground_truth_fan_section_03_source_test.csv", "section_03_0000.wav,0\n");
    tree.write(
        "ground_truth_fan_section_03_target_test.csv",
        "name,label\nsection_03_0000.wav,1\n",
    );
    let truth = Truth::read(tree.root()).expect("two files");
    for (domain, condition) in [(Domain::Source, NORMAL), (Domain::Target, ANOMALY)] {
        let found = entry(&truth, "fan", Some(domain), "section_03_0000.flac");
        assert_eq!((found.condition, found.domain), (condition, Some(domain)));
    }
}

#[test]
fn y2022_folders_are_joined_by_name_not_by_order() {
    let tree = Tree::new(&[]);
    let file = "ground_truth_fan_section_00_test.csv";
    tree.write(
        &format!("ground_truth_data/{file}"),
        "section_00_0000.wav,1\nsection_00_0001.wav,0\n",
    );
    tree.write(
        &format!("ground_truth_domain/{file}"),
        "section_00_0001.wav,1\r\nsection_00_0000.wav,0\r\n",
    );
    tree.write(
        "ground_truth_attributes/fan/attributes_00.csv",
        "file_name,d1p,d1v,file_name_with_full_attributes\n\
         fan/test/section_00_0001.wav,m-n,Z,fan/test/section_00_target_test_normal_0001_m-n_Z.wav\n\
         fan/test/section_00_0000.wav,m-n,W,\n",
    );
    let truth = Truth::read(tree.root()).expect("three folders");
    assert_eq!(
        entry(&truth, "fan", None, "section_00_0001.wav"),
        TruthEntry {
            condition: NORMAL,
            domain: Some(Domain::Target),
            attributes: Some("m-n_Z".to_owned()),
            group: None,
        }
    );
    assert_eq!(
        entry(&truth, "fan", None, "section_00_0000.wav").attributes.as_deref(),
        Some("m-n_W")
    );
    assert_eq!(entry(&truth, "fan", None, "section_00_0000.wav").condition, ANOMALY);
}

#[test]
fn an_attribute_file_of_another_numbering_is_not_believed() {
    let tree = Tree::new(&[]);
    let file = "ground_truth_fan_section_00_test.csv";
    tree.write(
        &format!("ground_truth_data/{file}"),
        "section_00_0000.wav,1\nsection_00_0001.wav,0\n",
    );
    tree.write(
        &format!("ground_truth_attributes/{file}"),
        "section_00_0000.wav,section_00_source_test_normal_0007_vel_1\n\
         section_00_0001.wav,section_00_source_test_normal_0003_vel_2\n",
    );
    let truth = Truth::read(tree.root()).expect("two files");
    for (clip, condition) in [("section_00_0000", ANOMALY), ("section_00_0001", NORMAL)] {
        let stated_alone = TruthEntry { condition, ..TruthEntry::default() };
        assert_eq!(entry(&truth, "fan", None, clip), stated_alone);
    }
    let doubtful: Vec<usize> = truth.doubtful_files().values().copied().collect();
    assert_eq!(doubtful, [1]);
}

#[test]
fn headers_name_columns_in_any_order() {
    let truth = read(
        "anything.csv",
        "\u{feff}flight,Label,file,domain,snr_db,machine\nf/1,anomaly,a.flac,target,-3,UAV\nf/2,0,b.flac,source,-4,\n",
    );
    assert_eq!(
        entry(&truth, "UAV", None, "some/folder/a.wav"),
        TruthEntry {
            condition: ANOMALY,
            domain: Some(Domain::Target),
            attributes: None,
            group: Some("f/1".to_owned()),
        }
    );
    assert_eq!(truth.get("fan", "00", None, "a.flac"), None);
    assert_eq!(entry(&truth, "fan", None, "b.flac").condition, NORMAL);
}

#[test]
fn header_lines_are_accepted_everywhere() {
    let plain = "section_00_0000.wav,1\nsection_00_0001.wav,0\n";
    for header in ["", "file_name,label\n", "name,value\n", "Filename,Ground Truth\n"] {
        let truth = read("ground_truth_fan_section_00_test.csv", &format!("{header}{plain}"));
        assert_eq!(
            entry(&truth, "fan", None, "section_00_0000.wav").condition,
            ANOMALY,
            "{header}"
        );
        assert_eq!(entry(&truth, "fan", None, "section_00_0001.wav").condition, NORMAL, "{header}");
    }
}

#[test]
fn disagreement_is_an_error_and_repetition_is_not() {
    let name = "ground_truth_fan_section_00_test.csv";
    let tree = Tree::new(&[]);
    tree.write(name, "section_00_0000.wav,1\nsection_00_0000.wav,1\n");
    assert!(Truth::read(tree.root()).is_ok());
    tree.write(&format!("again/{name}"), "section_00_0000.wav,0\n");
    let error = Truth::read(tree.root()).expect_err("1 and 0");
    assert!(matches!(error, TruthError::Conflict { what: "label", .. }), "{error}");
}

#[test]
fn what_is_no_truth_is_a_clear_error() {
    let tree = Tree::new(&["empty/notes.txt"]);
    tree.write("scores.csv", "section_00_0000.wav,0.73\n");
    tree.write("words.csv", "file,label\na.wav,normal\nb.wav,broken\n");
    tree.write("free.csv", "a.wav,0\nsome words,0\n");
    tree.write("spaces.csv", "section_00_0000.wav 1\nsection_00_0001.wav 0\n");
    tree.write("header.csv", "file,label\n");
    for (below, expected) in [
        ("nowhere", "cannot access"),
        ("empty", "no truth file below"),
        ("scores.csv", "line 1: found `0.73`, expected 0 or normal, 1 or anomaly"),
        ("words.csv", "line 3: found `broken`"),
        ("free.csv", "line 2: found `some words`"),
        ("spaces.csv", "found `section_00_0001.wav 0`"),
        ("header.csv", "holds no truth"),
    ] {
        let error = Truth::read(&tree.path(below)).expect_err("no truth");
        assert!(error.to_string().contains(expected), "{below}: {error}");
    }
}

#[test]
fn semicolons_and_utf_16_are_read_as_commas_and_utf_8() {
    let plain = "file,machine,section,label\na.wav,fan,0,anomaly\n";
    let utf_16: Vec<u8> =
        format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let tree = Tree::new(&[]);
    for bytes in [plain.replace(',', ";").into_bytes(), utf_16, format!("{plain},,,\n").into()] {
        let path = tree.path("truth.csv");
        std::fs::write(&path, bytes).expect("there is room");
        let truth = Truth::read(&path).expect("truth");
        assert_eq!(entry(&truth, "fan", None, "a.wav").condition, ANOMALY);
    }
}

#[test]
fn truth_that_was_asked_for_and_speaks_of_no_clip_is_a_problem() {
    let tree = Tree::new(&["Vacuum/test/section_00_0000.wav"]);
    let of = |machine: &str| {
        let other = Tree::new(&[]);
        let name = format!("ground_truth_{machine}_section_00_test.csv");
        other.write(&name, "section_00_0000.wav,1\n");
        let set = Dataset::read_all(&[tree.root().to_owned()], &[other.path(&name)]);
        let set = set.expect("a clip");
        (kinds(&set).contains(&"truth-without-clip"), set.clips[0].condition)
    };
    assert_eq!(of("fan"), (true, None));
    assert_eq!(of("vacuum"), (false, Some(Condition::Anomaly)), "case is no difference");
}
