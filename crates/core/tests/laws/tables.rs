//! Tables: what is written comes back, and what others wrote is understood.

use ndarray::Array2;
use offkey_core::{
    Clip, Condition, Domain, EmbeddingTable, ScoreRow, Seed, Split, TableError, table,
};
use proptest::prelude::*;

use crate::common::Tree;

fn any_clip() -> impl Strategy<Value = Clip> {
    let text = || "[^\\x00-\\x1f]{1,12}";
    let domain = prop::option::of(prop::sample::select(vec![Domain::Source, Domain::Target]));
    let label = prop::option::of(prop::sample::select(vec![Condition::Normal, Condition::Anomaly]));
    let split = prop::sample::select(vec![
        Split::Train,
        Split::Test,
        Split::Supplemental,
        Split::Unassigned,
    ]);
    let section = "[0-9]{2}|[A-Z][0-9]";
    (text(), text(), text(), section, domain, split, label, "\\PC{0,12}", text()).prop_map(
        |(path, name, machine, section, domain, split, condition, attributes, group)| Clip {
            path: path.into(),
            name,
            machine,
            section: offkey_core::names::section_text(&section),
            domain,
            split,
            condition,
            attributes,
            group,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn clips_come_back_from_csv(clips in prop::collection::vec(any_clip(), 0..8)) {
        let tree = Tree::new(&[]);
        let path = tree.path("rows.csv");
        table::write_csv(&path, &clips).expect("a new file");
        prop_assert_eq!(table::read_csv::<Clip>(&path).expect("own rows"), clips);
    }

    #[test]
    fn scores_come_back_from_csv_and_json_to_the_last_bit(
        clip in any_clip(),
        score in prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL,
        decision in prop::option::of(any::<bool>()),
    ) {
        let tree = Tree::new(&[]);
        let path = tree.path("scores.csv");
        let row = ScoreRow { clip, score, decision };
        table::write_csv(&path, std::slice::from_ref(&row)).expect("a new file");
        prop_assert_eq!(&table::read_csv::<ScoreRow>(&path).expect("own rows")[0], &row);
        let json = serde_json::to_string(&row).expect("plain data");
        prop_assert_eq!(serde_json::from_str::<ScoreRow>(&json).expect("own text"), row);
    }
}

#[test]
fn tables_of_others_may_leave_out_what_they_do_not_know() {
    let tree = Tree::new(&[]);
    let read = |text: &str| {
        tree.write("rows.csv", text);
        table::read_csv::<Clip>(&tree.path("rows.csv"))
    };
    let clips = read("machine,path,label,snr\nfan,x/a.wav,1,6\n,b.wav,,\n").expect("two rows");
    assert_eq!((clips[0].name.as_str(), clips[0].group.as_str()), ("a.wav", "a.wav"));
    assert_eq!(clips[0].condition, Some(Condition::Anomaly));
    assert_eq!(
        (clips[1].split, clips[1].domain, clips[1].condition),
        (Split::Unassigned, None, None)
    );
    assert_eq!((clips[0].section.as_str(), clips[1].machine.as_str()), ("00", ""));
    assert!(read("machine\nfan\n").is_err(), "a clip needs a path");
    let error = read("path,domain\na.wav,sauce\n").expect_err("no domain");
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.contains("line: 2") && cause.contains("unknown domain `sauce`"), "{cause}");
}

#[test]
fn a_written_score_table_is_flat() {
    let tree = Tree::new(&[]);
    let clip = crate::common::clip("fan", "00", "vel_5", Domain::Source, "a.wav");
    let rows = [ScoreRow { clip, score: 0.5, decision: Some(false) }];
    table::write_csv(&tree.path("scores.csv"), &rows).expect("a new file");
    let text = std::fs::read_to_string(tree.path("scores.csv")).expect("own file");
    assert_eq!(
        text,
        "path,name,machine,section,domain,split,label,attributes,group,score,decision\n\
         a.wav,a.wav,fan,00,source,train,normal,vel_5,a.wav,0.5,0\n"
    );
}

#[test]
fn embeddings_come_back_with_their_clips() {
    let tree = Tree::new(&[]);
    let clips: Vec<Clip> = ["a.wav", "b.wav"]
        .map(|name| crate::common::clip("fan", "00", "", Domain::Target, name))
        .to_vec();
    let embeddings =
        Array2::from_shape_fn((2, 3), |(row, column)| row as f32 - column as f32 / 3.0);
    let table = EmbeddingTable { clips, embeddings };
    let folder = tree.path("embeddings");
    table.write(&folder).expect("a new folder");
    assert_eq!(EmbeddingTable::read(&folder).expect("own table"), table);
    table::write_csv(&folder.join("rows.csv"), &table.clips[..1]).expect("own file");
    let error = EmbeddingTable::read(&folder).expect_err("one row is gone");
    assert!(matches!(error, TableError::Length { rows: 1, embeddings: 2, .. }), "{error}");
    tree.write("embeddings/embeddings.npy", "no array");
    assert!(matches!(EmbeddingTable::read(&folder), Err(TableError::Npy { .. })));
}

#[test]
fn children_of_a_seed_differ_by_name_and_not_by_time() {
    let seed = Seed::new(7);
    assert_eq!(seed.child("mixup"), seed.child("mixup"));
    assert_ne!(seed.child("mixup"), seed.child("crop"));
    assert_ne!(seed.child("mixup"), Seed::new(8).child("mixup"));
    assert_eq!(seed.child("mixup").value(), 5_933_595_838_469_727_304, "old runs stay repeatable");
}
