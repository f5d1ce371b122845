//! Score files of anybody.

use offkey_core::{Condition, Domain, ScoreRow, Truth, Year, read_score_files, score_rows, table};

use crate::common::{Tree, clip};

fn check(files: &[(&str, &str)], expected: &[(&str, &str, f64, Option<bool>)]) {
    let tree = Tree::new(&[]);
    for (file, text) in files {
        tree.write(file, text);
    }
    let rows = read_score_files(tree.root()).expect("score files").rows;
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
    let scores = read_score_files(tree.root()).expect("two score files").rows;
    let (rows, unused) = score_rows(&scores, Some(&truth));
    assert_eq!(unused, []);
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
    let scores = read_score_files(tree.root()).expect("a score file").rows;
    let (rows, _) = score_rows(&scores, None);
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
    let folder = read_score_files(tree.root()).expect("a folder");
    assert_eq!(folder.rows, rows);
    assert!(folder.unused[0].to_string().contains("the tables beside it say more"));
    let file = read_score_files(&tree.path("bldc_section_M_1.csv")).expect("a file");
    assert_eq!((file.rows.as_slice(), file.unused), (&rows[..], vec![]));
}

#[test]
fn a_table_with_scores_alone_takes_labels_and_domains_from_names() {
    let tree = Tree::new(&[]);
    let name = "section_00_target_test_anomaly_0007_spd_28V.wav";
    tree.write("scores.csv", &format!("path,machine,section,score\n{name},fan,00,0.5\n"));
    let clip = read_score_files(tree.root()).expect("a table").rows.remove(0).clip;
    assert_eq!((clip.condition, clip.domain), (Some(Condition::Anomaly), Some(Domain::Target)));
    assert_eq!(clip.attributes, "spd_28V");
}

#[test]
fn a_single_score_file_finds_its_decisions() {
    let tree = Tree::new(&[]);
    tree.write("anomaly_score_fan_section_00_test.csv", "a.wav,7\n");
    tree.write("decision_result_fan_section_00_test.csv", "name,decision\na.wav,1.0\n");
    let rows =
        read_score_files(&tree.path("anomaly_score_fan_section_00_test.csv")).expect("a file").rows;
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
        (&[(fan, "a.wav,0,41\n")], "found `a.wav,0,41`, expected a file name and a number in two"),
        (&[(fan, "file,score\na.wav,0,41\n")], "line 2: found `a.wav,0,41`"),
        (&[(fan, "a.wav;0,5\nb.wav;0.5\n")], "found `0,5`, expected numbers with one decimal"),
        (&[(fan, "a.wav,\"1,234\"\n")], "found `1,234`, expected numbers with one decimal"),
        (&[(fan, "a.wav,tensor(0.5)\n")], "found `tensor(0.5)`"),
        (&[(fan, "a.wav,\n")], "found ``, expected a finite anomaly score"),
        (&[(fan, "id,clip,loss\n0,a.wav,0.5\n")], "expected the columns `file` and `score`"),
        (&[("t.csv", "path,machine,score\na.wav,fan,nan\n")], "line 2: found `nan`"),
        (&[("t.csv", "path,machine,score\na.wav,fan,0,5\n")], "as many cells as the header"),
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

#[test]
fn every_dialect_gives_the_same_scores() {
    let fan = "anomaly_score_fan_section_00_test.csv";
    let plain = "a.wav,0.25\nb.wav,1.5\nc.wav,-3e-2\n";
    let german = plain.replace(',', ";").replace('.', ",").replace(",wav", ".wav");
    let own = "path,machine,section,score\n";
    let rows_of = |file: &str, text: &[u8]| {
        let tree = Tree::new(&[]);
        std::fs::write(tree.path(file), text).expect("there is room");
        let found = read_score_files(tree.root());
        let found =
            found.unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(text)));
        let scores = found.rows.iter().map(|row| (row.clip.name.clone(), row.score));
        (scores.collect::<Vec<_>>(), found.unused.len())
    };
    let (expected, _) = rows_of(fan, plain.as_bytes());
    assert_eq!(expected.len(), 3);
    let utf_16: Vec<u8> =
        format!("\u{feff}{german}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (file, text, unused) in [
        (fan, german.clone().into_bytes(), 0),
        (fan, utf_16, 0),
        (fan, plain.replace(',', "\t").into_bytes(), 0),
        (fan, format!("\u{feff}{plain}").into_bytes(), 0),
        (fan, format!("{plain},,,\n , \n").into_bytes(), 1),
        (fan, format!("{},,,\n", plain.replace('\n', ",,\n")).into_bytes(), 1),
        (
            fan,
            plain
                .replace(",-3e-2", ",\"-0,03\"")
                .replace("1.5", "\"1,5\"")
                .replace("0.25", "\"0,25\"")
                .into_bytes(),
            0,
        ),
        (fan, b",file,score\n0,a.wav,0.25\n1,b.wav,1.5\n2,c.wav,-0.03\n".to_vec(), 0),
        (
            "T.CSV",
            format!("{own}a.wav,fan,0,0.25\nb.wav,fan,0,1.5\nc.wav,fan,0,-0.03\n").into_bytes(),
            0,
        ),
        (
            "t.csv",
            format!(
                "{}a.wav;fan;00;0,25\nb.wav;fan;00;1,5\nc.wav;fan;00;-0,03\n;;;\n",
                own.replace(',', ";")
            )
            .into_bytes(),
            1,
        ),
    ] {
        assert_eq!(
            rows_of(file, &text),
            (expected.clone(), unused),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}

#[test]
fn what_of_scores_and_truth_is_not_used_is_said() {
    let tree = Tree::new(&[]);
    tree.write("anomaly_score_Vacuum_section_00_test.csv", "a.wav,1\nb.wav,2\n,,\n");
    tree.write("result.csv", "Vacuum,,\n");
    let scores = read_score_files(tree.root()).expect("a score file");
    let said: Vec<String> = scores.unused.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("1 empty rows") && said[1].contains("result.csv"), "{said:?}");

    tree.write("truth/ground_truth_vacuum_section_00_test.csv", "a.wav;0\nb.wav;1\nz.wav;1\n");
    let truth = Truth::read(&tree.path("truth")).expect("truth");
    let (rows, unused) = score_rows(&scores.rows, Some(&truth));
    let labels: Vec<_> = rows.iter().map(|row| row.clip.condition).collect();
    assert_eq!(
        labels,
        [Some(Condition::Normal), Some(Condition::Anomaly)],
        "case is no difference"
    );
    assert_eq!(unused.len(), 1);
    assert!(unused[0].to_string().starts_with("1 of 3 rows of"), "{}", unused[0]);
    assert!(unused[0].to_string().ends_with("as `Vacuum z`"), "{}", unused[0]);
}

#[test]
fn machines_that_differ_in_case_alone_stay_apart_where_both_are_scored() {
    let tree = Tree::new(&[]);
    for machine in ["vacuum", "Vacuum"] {
        tree.write(&format!("anomaly_score_{machine}_section_00_test.csv"), "a.wav,1\n");
    }
    tree.write("truth/ground_truth_Vacuum_section_00_test.csv", "a.wav,1\n");
    let scores = read_score_files(tree.root()).expect("score files").rows;
    let truth = Truth::read(&tree.path("truth")).expect("truth");
    let (rows, _) = score_rows(&scores, Some(&truth));
    let labels: Vec<_> =
        rows.iter().map(|row| (row.clip.machine.as_str(), row.clip.condition)).collect();
    assert_eq!(labels, [("Vacuum", Some(Condition::Anomaly)), ("vacuum", None)]);
}
