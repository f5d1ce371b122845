//! Whole evaluations: formulas of the years, intervals, trials, files and the shape of the result.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use approx::assert_abs_diff_eq;
use offkey_core::{
    Clip, Condition, Domain, ScoreRow, Seed, Split, Year, score_files::read_score_files,
};
use offkey_eval::{
    BootstrapConfig, EvalError, Metrics, Note, TermName, aggregate, evaluate, evaluate_with,
    write_submission,
};

const NORMAL: [f64; 12] = [0.10, 0.12, 0.15, 0.2, 0.22, 0.3, 0.31, 0.33, 0.4, 0.45, 0.6, 0.9];
const ANOMALOUS: [f64; 8] = [0.2, 0.35, 0.5, 0.55, 0.6, 0.7, 0.95, 1.0];

fn row(section: &str, name: String, domain: Option<Domain>, condition: Condition) -> ScoreRow {
    ScoreRow {
        clip: Clip {
            path: PathBuf::from(&name),
            group: name.clone(),
            name,
            machine: "fan".to_owned(),
            section: section.to_owned(),
            domain,
            split: Split::Test,
            condition: Some(condition),
            attributes: String::new(),
        },
        score: 0.0,
        decision: None,
    }
}

/// The literal vector: the first 6 normals and the first 4 anomalies are source.
fn literal_rows(section: &str, domains: bool) -> Vec<ScoreRow> {
    let of = |scores: &[f64], condition: Condition, sources: usize| -> Vec<ScoreRow> {
        let one = |(index, &score): (usize, &f64)| {
            let domain = if index < sources { Domain::Source } else { Domain::Target };
            let domain = domains.then_some(domain);
            let row = row(section, format!("{condition} {index:02}.wav"), domain, condition);
            ScoreRow { score, decision: Some(score > 0.45), ..row }
        };
        scores.iter().enumerate().map(one).collect()
    };
    [of(&NORMAL, Condition::Normal, 6), of(&ANOMALOUS, Condition::Anomaly, 4)].concat()
}

#[test]
fn official_and_own_domain_areas_match_the_literal_vector() {
    let metrics = evaluate_with(&literal_rows("00", true), Some(Year::Y2023), None).unwrap();
    let row = &metrics.per_section[0];
    assert_abs_diff_eq!(row.auc_source.unwrap(), 0.947_916_666_7, epsilon = 5e-11);
    assert_abs_diff_eq!(row.auc_target.unwrap(), 0.656_25, epsilon = 5e-11);
    let own = row.own_domain.unwrap();
    assert_abs_diff_eq!(own.auc_source.unwrap(), 0.895_833_333_3, epsilon = 5e-11);
    assert_abs_diff_eq!(own.auc_target.unwrap(), 0.895_833_333_3, epsilon = 5e-11);
    assert_eq!(own.auc_mixed, row.auc);
    assert_eq!((row.normal, row.anomalous, row.unlabelled), (12, 8, 0));
    let terms = [row.auc_source.unwrap(), row.auc_target.unwrap(), row.pauc.unwrap()];
    let harmonic = 3.0 / terms.iter().map(|term| 1.0 / term).sum::<f64>();
    assert_abs_diff_eq!(metrics.official_score.unwrap(), harmonic, epsilon = 1e-14);
}

#[test]
fn decisions_are_rated_per_own_domain_too() {
    let metrics = evaluate_with(&literal_rows("00", true), Some(Year::Y2022), None).unwrap();
    let row = &metrics.per_section[0];
    let (source, target) = (row.decisions.source.unwrap(), row.decisions.target.unwrap());
    assert_eq!((row.precision, row.recall), (Some(6.0 / 8.0), Some(6.0 / 8.0)));
    assert_eq!((source.precision, source.recall), (1.0, 0.5));
    assert_eq!((target.precision, target.recall), (4.0 / 6.0, 1.0));
}

#[test]
fn a_section_without_faults_has_no_recall_and_lowers_no_mean() {
    let mut rows = literal_rows("00", true);
    rows.extend(
        literal_rows("01", true)
            .into_iter()
            .filter(|row| row.clip.condition == Some(Condition::Normal)),
    );
    let metrics = evaluate_with(&rows, Some(Year::Y2022), None).unwrap();
    assert_eq!((metrics.per_section[1].precision, metrics.per_section[1].recall), (None, None));
    assert_eq!(metrics.per_machine[0].arithmetic.recall, Some(6.0 / 8.0));
}

fn said(metrics: &Metrics) -> Vec<String> {
    metrics.notes.iter().map(ToString::to_string).collect()
}

#[test]
fn without_domains_there_is_no_official_score_and_the_reason_is_said() {
    let metrics = evaluate(&literal_rows("00", false), None).unwrap();
    assert_eq!(metrics.official_score, None);
    assert!(metrics.intervals.unwrap().official_score.is_none());
    assert!(metrics.own_domain.is_none() && metrics.auc.is_some() && metrics.pauc.is_some());
    assert!(said(&metrics)[0].contains("which 1 of 1 rows lack"), "{:?}", metrics.notes);
    let missing = metrics.official_terms.iter().filter(|term| term.value.is_none());
    let missing: Vec<TermName> = missing.map(|term| term.term).collect();
    assert_eq!(missing, [TermName::AucSource, TermName::AucTarget]);
    let y2021 = evaluate_with(&literal_rows("00", false), Some(Year::Y2021), None).unwrap();
    assert_eq!(y2021.official_score, None);
    let y2020 = evaluate_with(&literal_rows("00", false), Some(Year::Y2020), None).unwrap();
    assert!(y2020.official_score.is_some() && y2020.notes.is_empty(), "2020 has no domains");
}

#[test]
fn a_mean_over_fewer_rows_says_so() {
    let mut rows = [literal_rows("00", true), literal_rows("01", true)].concat();
    for row in rows.iter_mut().filter(|row| row.clip.section == "01") {
        row.clip.condition = row.clip.condition.filter(|c| *c == Condition::Normal);
    }
    let metrics = evaluate_with(&rows, Some(Year::Y2023), None).unwrap();
    assert!(metrics.official_score.is_some());
    assert_eq!(
        said(&metrics),
        ["fan 01 has no AUC and is in no mean: 12 normal and 0 anomalous clips, 8 without label"]
    );
    let mut rows = [literal_rows("00", true), literal_rows("01", false)].concat();
    let metrics = evaluate_with(&rows, Some(Year::Y2023), None).unwrap();
    assert_eq!((metrics.official_score, metrics.auc_source.is_some()), (None, true));
    assert!(said(&metrics)[1].contains("source AUC is over 1 of 2 rows"), "{:?}", metrics.notes);
    rows.retain(|row| row.clip.condition == Some(Condition::Normal));
    assert_eq!(evaluate(&rows, None).unwrap().notes, [Note::NothingToRank]);
}

#[test]
fn where_resampling_tells_nothing_there_is_no_interval_and_the_reason_is_said() {
    let of = |normals: usize, anomalies: usize, gap: f64| {
        let clip = |index: usize, condition: Condition| {
            let shift = if condition == Condition::Anomaly { gap } else { 0.0 };
            let score = 0.1 * index as f64 + shift;
            ScoreRow { score, ..row("00", format!("{condition}{index}.wav"), None, condition) }
        };
        let normal = (0..normals).map(|index| clip(index, Condition::Normal));
        let anomalous = (0..anomalies).map(|index| clip(index, Condition::Anomaly));
        let rows: Vec<ScoreRow> = normal.chain(anomalous).collect();
        evaluate_with(&rows, Some(Year::Y2020), Some(BootstrapConfig::default())).unwrap()
    };
    for (normals, anomalies, gap, reason) in [
        (2, 9, 0.15, "2 normal recordings, an interval needs at least 3"),
        (9, 1, 0.15, "1 anomalous recordings, an interval needs at least 3"),
        (9, 9, 10.0, "every resample gives 1.000"),
    ] {
        let metrics = of(normals, anomalies, gap);
        assert_eq!(metrics.per_section[0].auc_interval, None, "{reason}");
        assert!(said(&metrics)[0].contains(reason), "{:?}", metrics.notes);
    }
    let metrics = of(9, 9, 0.15);
    assert!(metrics.per_section[0].auc_interval.is_some() && metrics.notes.is_empty());
}

#[test]
fn a_kind_of_a_single_recording_leaves_the_intervals_out() {
    let mut rows = literal_rows("00", true);
    for row in &mut rows {
        let is_alone = row.clip.name.starts_with("normal 00");
        row.clip.domain = Some(if is_alone { Domain::Target } else { Domain::Source });
    }
    let metrics = evaluate(&rows, Some(Year::Y2020)).unwrap();
    assert_eq!(metrics.per_section[0].auc_interval, None);
    assert_eq!(metrics.intervals.unwrap().auc, None);
    assert!(said(&metrics)[0].contains("1 recordings of one condition and domain"));
    assert!(said(&metrics)[1].starts_with("no interval of the means"), "{:?}", metrics.notes);
}

#[test]
fn only_one_condition_has_no_score_but_is_no_error() {
    let rows: Vec<ScoreRow> = literal_rows("00", true)
        .into_iter()
        .filter(|row| row.clip.condition == Some(Condition::Normal))
        .collect();
    let metrics = evaluate(&rows, Some(Year::Y2022)).unwrap();
    assert_eq!((metrics.official_score, metrics.auc, metrics.pauc), (None, None, None));
    assert_eq!(metrics.per_section[0].normal, 12);
    let text = serde_json::to_string(&metrics).unwrap();
    assert!(text.contains(r#""official_score":null"#));
}

#[test]
fn the_year_decides_the_rows_and_the_mean() {
    let rows = [literal_rows("00", true), literal_rows("01", true)].concat();
    let y2021 = evaluate_with(&rows, Some(Year::Y2021), None).unwrap();
    assert_eq!(y2021.per_section.len(), 4);
    assert_eq!(y2021.per_section[1].domain, Some(Domain::Target));
    assert_eq!(y2021.auc_source, y2021.per_section[0].auc);
    let y2020 = evaluate_with(&rows, Some(Year::Y2020), None).unwrap();
    let both = f64::midpoint(y2020.auc.unwrap(), y2020.pauc.unwrap());
    assert_abs_diff_eq!(y2020.official_score.unwrap(), both, epsilon = 1e-15);
}

#[test]
fn training_and_unlabelled_clips_count_for_nothing() {
    let rows = literal_rows("00", true);
    let expected = evaluate(&rows, None).unwrap();
    let mut more = rows.clone();
    let mut training = row("00", "train.wav".to_owned(), None, Condition::Normal);
    training.clip.split = Split::Train;
    training.score = 99.0;
    more.push(training);
    assert_eq!(evaluate(&more, None).unwrap(), expected);
    let mut unknown = row("00", "unknown.wav".to_owned(), None, Condition::Normal);
    unknown.clip.condition = None;
    more.push(unknown);
    let found = evaluate(&more, None).unwrap();
    assert_eq!((found.auc, found.per_section[0].unlabelled), (expected.auc, 1));
}

#[test]
fn what_cannot_be_ranked_is_refused() {
    assert!(matches!(evaluate(&[], None), Err(EvalError::NoRows { rows: 0 })));
    let mut rows = literal_rows("00", true);
    rows.push(rows[3].clone());
    assert!(matches!(evaluate(&rows, None), Err(EvalError::DuplicateClip { .. })));
    rows.pop();
    rows[3].score = f64::NAN;
    assert!(matches!(evaluate(&rows, None), Err(EvalError::NonFiniteScore { .. })));
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let rows = [literal_rows("00", true), literal_rows("01", true)].concat();
    let reversed: Vec<ScoreRow> = rows.iter().rev().cloned().collect();
    let config = None;
    let (a, b) = (evaluate_with(&rows, None, config), evaluate_with(&reversed, None, config));
    assert_eq!(a.unwrap(), b.unwrap());
}

#[test]
fn intervals_hold_the_estimate_and_repeat_on_any_thread_count() {
    let rows = [literal_rows("00", true), literal_rows("01", true)].concat();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluate(&rows, None).unwrap())
    };
    let metrics = on(1);
    assert_eq!(metrics, on(3));
    let interval = metrics.per_section[0].auc_interval.unwrap();
    let estimate = metrics.per_section[0].auc.unwrap();
    assert!(interval.low < estimate && estimate < interval.high, "{interval:?}");
    let over_sections = metrics.intervals.unwrap().auc.unwrap();
    let width = |interval: offkey_eval::Interval| interval.high - interval.low;
    assert!(width(over_sections) < width(interval), "two sections say more than one");
}

#[test]
fn copies_of_recordings_do_not_narrow_an_interval() {
    let rows = literal_rows("00", false);
    let mut copies = rows.clone();
    for copy in 0..9 {
        copies.extend(rows.iter().cloned().map(|mut row| {
            row.clip.name = format!("{} copy {copy}", row.clip.name);
            row
        }));
    }
    let interval = |rows: &[ScoreRow]| evaluate(rows, None).unwrap().per_section[0].auc_interval;
    assert_eq!(interval(&rows), interval(&copies));
    for row in &mut copies {
        row.clip.group.clone_from(&row.clip.name);
    }
    let (apart, together) = (interval(&copies).unwrap(), interval(&rows).unwrap());
    assert!(apart.high - apart.low < 0.6 * (together.high - together.low));
}

#[test]
fn one_recording_has_no_interval() {
    let mut rows = literal_rows("00", false);
    for row in rows.iter_mut().filter(|row| row.clip.condition == Some(Condition::Normal)) {
        row.clip.group = "the only one".to_owned();
    }
    let metrics = evaluate(&rows, None).unwrap();
    assert_eq!(metrics.per_section[0].auc_interval, None);
    assert_eq!(metrics.intervals.unwrap().auc, None);
}

#[test]
fn a_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() {
    // Scores uniform on 0..1 and on 0.5..1.5: the true AUC is 1 - 0.5 * 0.5 / 2 = 0.875.
    let uniform = |seed: Seed, index: usize| seed.child(index).value() as f64 / u64::MAX as f64;
    let (trials, clips) = (200, 40);
    let config = BootstrapConfig { resamples: 200, ..BootstrapConfig::default() };
    let covered = (0..trials)
        .filter(|&trial| {
            let rows: Vec<ScoreRow> = (0..2 * clips)
                .map(|index| {
                    let anomalous = index >= clips;
                    let condition = if anomalous { Condition::Anomaly } else { Condition::Normal };
                    let mut row = row("00", format!("{index}.wav"), None, condition);
                    let shift = if anomalous { 0.5 } else { 0.0 };
                    row.score = uniform(Seed::new(trial), index) + shift;
                    row
                })
                .collect();
            let metrics = evaluate_with(&rows, None, Some(config)).unwrap();
            let interval = metrics.per_section[0].auc_interval.unwrap();
            interval.low <= 0.875 && 0.875 <= interval.high
        })
        .count();
    // 95 % of 200 is 190 with a binomial deviation of 3; percentile intervals of 40 clips fall a
    // little short, so the band reaches six deviations down and three up.
    assert!((172..=199).contains(&covered), "covered {covered} of {trials}");
}

#[test]
fn trials_give_mean_and_sample_deviation() {
    let better: Vec<ScoreRow> = literal_rows("00", true)
        .into_iter()
        .map(|mut row| {
            row.score += f64::from(u8::from(row.clip.condition == Some(Condition::Anomaly)));
            row
        })
        .collect();
    let trials = [
        (Seed::new(3), evaluate(&literal_rows("00", true), None).unwrap()),
        (Seed::new(4), evaluate(&better, None).unwrap()),
    ];
    let result = aggregate(&trials).unwrap();
    let (a, b) = (trials[0].1.auc.unwrap(), trials[1].1.auc.unwrap());
    assert_abs_diff_eq!(result.auc.unwrap(), f64::midpoint(a, b), epsilon = 1e-15);
    let deviation = result.std.unwrap().auc.unwrap();
    assert_abs_diff_eq!(deviation, (b - a) / 2.0_f64.sqrt(), epsilon = 1e-14);
    assert_eq!(result.mean.unwrap(), result.headline());
    assert_eq!(result.seeds.iter().map(|trial| trial.seed).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(result.per_section[0].auc, result.auc);
    assert!(result.intervals.is_none());

    let single = aggregate(&trials[..1]).unwrap();
    assert_eq!((single.seeds.len(), single.mean, single.std), (1, None, None));
    assert!(single.intervals.is_some());
}

#[test]
fn unlike_trials_are_refused() {
    assert!(matches!(aggregate(&[]), Err(EvalError::NoTrials)));
    let of = |section: &str, year| evaluate_with(&literal_rows(section, true), year, None).unwrap();
    let first = (Seed::new(0), of("00", None));
    let pairs = [(Seed::new(1), of("01", None)), (Seed::new(1), of("00", Some(Year::Y2022)))];
    for other in pairs {
        let result = aggregate(&[first.clone(), other]);
        assert!(matches!(result, Err(EvalError::UnlikeTrials { trial: 1, .. })));
    }
}

#[test]
fn metrics_come_back_from_json_as_they_were() {
    let metrics = evaluate(&literal_rows("00", true), Some(Year::Y2024)).unwrap();
    let text = serde_json::to_string_pretty(&metrics).unwrap();
    assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
    assert!(text.contains(r#""section": "00""#));
    assert!(text.contains(r#""year": 2024"#));
}

#[test]
fn submission_files_have_the_official_names_and_evaluate_alike() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = literal_rows("00", true);
    for (index, row) in rows.iter_mut().enumerate() {
        let (domain, condition) = (row.clip.domain.unwrap(), row.clip.condition.unwrap());
        row.clip.name = format!("section_00_{domain}_test_{condition}_{index:04}_vel_1.wav");
    }
    let cases = [
        (Year::Y2020, "anomaly_score_fan_id_00.csv", 2),
        (Year::Y2021, "anomaly_score_fan_section_00_source_test.csv", 4),
        (Year::Y2023, "anomaly_score_fan_section_00_test.csv", 2),
    ];
    for (year, first, files) in cases {
        let folder = folder.path().join(year.to_string());
        let written = write_submission(&rows, Some(year), &folder).unwrap();
        assert_eq!(written.len(), files);
        assert_eq!(written[0], folder.join(first));
        assert!(written[files / 2].to_string_lossy().contains("decision_result_"));
        let read =
            evaluate_with(&read_score_files(&folder).unwrap().rows, Some(year), None).unwrap();
        let expected = evaluate_with(&rows, Some(year), None).unwrap();
        assert_eq!(read.official_score, expected.official_score);
        assert_eq!(read.per_section[0].f1, expected.per_section[0].f1);
    }
    let text =
        std::fs::read_to_string(folder.path().join("2023/decision_result_fan_section_00_test.csv"));
    assert!(text.unwrap().lines().all(|line| line.ends_with(",0") || line.ends_with(",1")));
}
