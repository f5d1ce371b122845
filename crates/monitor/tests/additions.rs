//! Recordings added because they were judged normal are references and calibrate nothing: by simulation.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, Axis, concatenate};
use offkey_core::Seed;
use offkey_score::{BackendConfig, Detector, Member, References, Rule};

/// Recordings of one window each, with heavy tails.
fn recordings(seed: Seed, count: usize) -> Array2<f32> {
    Array2::from_shape_fn((count, 3), |(row, dim)| {
        let uniform = seed.child(row).child(dim).value() as f32 / u64::MAX as f32;
        let u = 1.998 * uniform - 0.999;
        u / (1.0 - u.abs()).sqrt()
    })
}

/// A detector of some recordings, the last `bystanders` of which calibrate nothing.
fn detector(windows: &Array2<f32>, bystanders: usize) -> Detector {
    let count = windows.nrows();
    let groups: Vec<String> = (0..count).map(|row| row.to_string()).collect();
    let marks: Vec<bool> = (0..count).map(|row| row >= count - bystanders).collect();
    let domains = vec![None; count];
    let references = References::new(windows.view(), &domains, &groups, Seed::new(1)).unwrap();
    let references = references.with_bystanders(&marks).unwrap();
    let backend = BackendConfig::from_name("shrunk-mahalanobis").unwrap();
    Detector::fit(&[Member { name: "gauss".to_owned(), backend, references }], Rule::Max).unwrap()
}

/// Of some windows those that alarm or do not.
fn picked(detector: &Detector, windows: &Array2<f32>, alarm: bool) -> Array2<f32> {
    let judged = detector.judge_all(&[windows.view()]).unwrap();
    let rows: Vec<usize> =
        (0..windows.nrows()).filter(|&row| judged[row].alarm() == alarm).collect();
    windows.select(Axis(0), &rows)
}

#[test]
fn what_the_verdict_chose_voids_a_calibration_and_not_a_reference() {
    let (calibration, offered, fresh, draws) = (20, 80, 100, 40);
    let (mut beside, mut counted) = (0, 0);
    for draw in 0..draws {
        let seed = Seed::new(3).child(draw);
        let learned = recordings(seed.child("learned"), calibration);
        let first = detector(&learned, 0);
        let normal = picked(&first, &recordings(seed.child("offered"), offered), false);
        let new = recordings(seed.child("new"), fresh);
        let joined = concatenate![Axis(0), learned, normal];
        let added = detector(&joined, normal.nrows());
        beside += picked(&added, &new, true).nrows();
        // At the same nominal share, 1 in 21, had the additions calibrated as well.
        let losses = (joined.nrows() + 1) / (calibration + 1) - 1;
        let voided = detector(&joined, 0).with_allowed_losses(losses).unwrap();
        counted += picked(&voided, &new, true).nrows();
    }
    let share = |alarms: usize| alarms as f64 / (draws * fresh) as f64;
    let bound = 1.0 / (calibration as f64 + 1.0);
    // The draws of a model share its fate: a deviation of 0.009 of their mean, three of them.
    assert!(share(beside) <= bound + 0.027, "{} above {bound}", share(beside));
    assert!(share(counted) > share(beside), "{} and {}", share(counted), share(beside));
}

#[test]
fn a_reference_that_holds_the_sound_of_a_calibrating_recording_is_left_out_with_it() {
    let (calibration, fresh, draws) = (20, 100, 10);
    let (mut together, mut apart) = (0, 0);
    for draw in 0..draws {
        let seed = Seed::new(5).child(draw);
        let learned = recordings(seed.child("learned"), calibration);
        let new = recordings(seed.child("new"), fresh);
        let joined = concatenate![Axis(0), learned, learned];
        for (copies_are_theirs, alarms) in [(true, &mut together), (false, &mut apart)] {
            let group =
                |row: usize| if copies_are_theirs { row % calibration } else { row }.to_string();
            let groups: Vec<String> = (0..2 * calibration).map(group).collect();
            let detector = nearest(&joined, &groups, calibration);
            *alarms += picked(&detector, &new, true).nrows();
        }
    }
    let share = |alarms: usize| alarms as f64 / (draws * fresh) as f64;
    let bound = 1.0 / (calibration as f64 + 1.0);
    // The draws of a model share its fate: a deviation of 0.018 of their mean, three of them.
    assert!(share(together) <= bound + 0.054, "{} above {bound}", share(together));
    assert!(share(apart) > 0.5, "nothing is as near as a copy: {}", share(apart));
}

/// A detector by the nearest reference; those from `stand_by` on calibrate nothing.
fn nearest(windows: &Array2<f32>, groups: &[String], stand_by: usize) -> Detector {
    let marks: Vec<bool> = (0..groups.len()).map(|row| row >= stand_by).collect();
    let domains = vec![None; groups.len()];
    let references = References::new(windows.view(), &domains, groups, Seed::new(1)).unwrap();
    let references = references.with_bystanders(&marks).unwrap();
    let backend = BackendConfig::from_name("knn").unwrap();
    Detector::fit(&[Member { name: "near".to_owned(), backend, references }], Rule::Max).unwrap()
}
