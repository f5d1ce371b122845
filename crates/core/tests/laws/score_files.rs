//! Score files of anybody.

use offkey_core::{Condition, Domain, ScoreRow, Truth, Year, read_score_files, score_rows, table};

use crate::common::{Tree, clip};

fn check(files: &[(&str, &str)], expected: &[(&str, &str, f64, Option<bool>)]) {
    let tree = Tree::new(&[]);
    for (file, text) in files {
        tree.write(file, text);
    }
    let rows = read_score_files(tree.root()).expect("score files");
    let found: Vec<(String, &str, f64, Option<bool>)> = rows
        .iter()
        .map(|row| {
            let place = format!("{} {}", row.clip.machine, row.clip.section);
            (place, row.clip.name.as_str(), row.score, row.decision)
        })
        .collect();
    let expected: Vec<_> =
        expected.iter().map(|row| (row.0.to_owned(), row.1, row.2, row.3)).collect();
    assert_eq!(found, expected);
}

#[test]
fn scores_and_decisions_are_joined_by_name() {
    check(
        &[
            ("anomaly_score_fan_section_00_test.csv", "b.wav,-2.5e-1\na.wav,7\n"),
            ("decision_result_fan_section_00_test.csv", "a.wav,1\nb.wav,0\n"),
            ("anomaly_score_ToyCar_id_01.csv", "file_name,score\nc.wav,3\n"),
            ("result.csv", "fan,,\n"),
        ],
        &[
            ("ToyCar 01", "c.wav", 3.0, None),
            ("fan 00", "a.wav", 7.0, Some(true)),
            ("fan 00", "b.wav", -0.25, Some(false)),
        ],
    );
}

#[test]
fn equal_names_of_two_domains_stay_apart() {
    let tree = Tree::new(&[]);
    for (domain, score) in [("source", 1), ("target", 2)] {
        let file = format!("anomaly_score_fan_section_03_{domain}_test.csv");
        tree.write(&file, &format!("section_03_0000.wav,{score}\n"));
        let truth = format!("ground_truth_fan_section_03_{domain}_test.csv");
        tree.write(&truth, &format!("section_03_0000.wav,{}\n", score - 1));
    }
    let truth = Truth::read(tree.root()).expect("two truth files");
    let rows = score_rows(&read_score_files(tree.root()).expect("two score files"), Some(&truth));
    let found: Vec<_> =
        rows.iter().map(|row| (row.clip.domain, row.clip.condition, row.score)).collect();
    assert_eq!(
        found,
        [
            (Some(Domain::Source), Some(Condition::Normal), 1.0),
            (Some(Domain::Target), Some(Condition::Anomaly), 2.0),
        ]
    );
    let clips: Vec<_> = rows.iter().map(|row| &row.clip).collect();
    assert_eq!(offkey_core::recognise_year(&clips), Some(Year::Y2021));
}

#[test]
fn names_give_labels_where_there_is_no_truth() {
    let tree = Tree::new(&[]);
    tree.write(
        "anomaly_score_fan_section_00_test.csv",
        "section_00_target_test_anomaly_0000_vel_5.wav,1\nsection_00_0001.wav,2\n",
    );
    let rows = score_rows(&read_score_files(tree.root()).expect("a score file"), None);
    let named = rows.iter().find(|row| row.clip.name.contains("0000")).expect("the first row");
    assert_eq!(named.clip.condition, Some(Condition::Anomaly));
    assert_eq!(named.clip.domain, Some(Domain::Target));
    assert_eq!(named.clip.attributes, "vel_5");
    let neutral = rows.iter().find(|row| row.clip.name.contains("0001")).expect("the second row");
    assert_eq!(neutral.clip.condition, None);
}

#[test]
fn our_own_tables_are_read_and_preferred() {
    let tree = Tree::new(&[]);
    let mut own = clip("bldc", "M_1", "speed", Domain::Source, "x/a.wav");
    own.group = "run 3".to_owned();
    let rows = [ScoreRow { clip: own, score: 0.1 + 0.2, decision: Some(true) }];
    table::write_csv(&tree.path("bldc_section_M_1.csv"), &rows).expect("a new file");
    tree.write("anomaly_score_bldc_section_M_1_test.csv", "a.wav,0.3\n");
    assert_eq!(read_score_files(tree.root()).expect("a folder"), rows);
    assert_eq!(read_score_files(&tree.path("bldc_section_M_1.csv")).expect("a file"), rows);
}

#[test]
fn a_single_score_file_finds_its_decisions() {
    let tree = Tree::new(&[]);
    tree.write("anomaly_score_fan_section_00_test.csv", "a.wav,7\n");
    tree.write("decision_result_fan_section_00_test.csv", "name,decision\na.wav,1.0\n");
    let rows =
        read_score_files(&tree.path("anomaly_score_fan_section_00_test.csv")).expect("a file");
    assert_eq!(rows[0].decision, Some(true));
}

#[test]
fn what_is_no_score_file_is_a_clear_error() {
    let fan = "anomaly_score_fan_section_00_test.csv";
    for (files, expected) in [
        (&[("result.csv", "a,b\n")][..], "no scores in"),
        (&[(fan, "a.wav,high\n")], "line 1: found `high`, expected a finite anomaly score"),
        (&[(fan, "a.wav,1\nb.wav,nan\n")], "line 2: found `nan`"),
        (&[(fan, "a.wav,inf\n")], "found `inf`"),
        (&[(fan, "a.wav\n")], "expected a file name and a number"),
        (&[(fan, "a.wav,1\na.flac,2\n")], "scored twice"),
        (
            &[(fan, "a.wav,1\n"), ("anomaly_score_fan_section_00_test_seed2.csv", "a.wav,1\n")],
            "scored twice",
        ),
        (&[("anomaly_score_mine.csv", "a.wav,1\n")], "cannot tell machine and section"),
        (
            &[(fan, "a.wav,1\n"), ("decision_result_fan_section_00_test.csv", "b.wav,1\n")],
            "decides on `b.wav`, which has no score",
        ),
        (
            &[(fan, "a.wav,1\n"), ("decision_result_fan_section_00_test.csv", "a.wav,2\n")],
            "expected the decision 0 or 1",
        ),
    ] {
        let tree = Tree::new(&[]);
        for (file, text) in files {
            tree.write(file, text);
        }
        let error = read_score_files(tree.root()).expect_err("no scores");
        assert!(error.to_string().contains(expected), "{files:?}: {error}");
    }
}
