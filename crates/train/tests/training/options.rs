//! Laws of the optimiser's options.

use offkey_core::Seed;
use offkey_infer::{Compute, Encoder};
use offkey_train::{
    Convergence, CosineSchedule, EarlyStopping, Schedule, TrainConfig, TrainLength,
};

use super::hums::{Recorder, Setting, hum, weights};

fn trained(change: impl FnOnce(&mut TrainConfig)) -> (Vec<u8>, Recorder) {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    change(&mut setting.train);
    let mut recorder = Recorder::default();
    setting.run(folder.path(), false, &mut recorder).unwrap();
    (weights(folder.path()), recorder)
}

type Change = fn(&mut TrainConfig);

/// Every option on its own.
const OPTIONS: [(&str, Change); 6] = [
    ("schedule", |train| train.schedule = Schedule::Cosine(CosineSchedule::default())),
    ("weight decay", |train| train.weight_decay = 0.1),
    ("gradient length", |train| train.gradient_length = Some(0.01)),
    ("average", |train| train.average_weights = Some(0.9)),
    ("early stopping", |train| {
        train.held_out = 0.2;
        train.early_stopping = Some(EarlyStopping { patience_epochs: 1 });
    }),
    ("convergence", |train| {
        train.held_out = 0.2;
        train.length = TrainLength::Epochs(12);
        train.convergence = Some(Convergence { flat_steps: 6, least_steps: 9, tolerance: 0.5 });
    }),
];

#[test]
fn every_option_trains_another_model_and_resumes_to_the_same_bytes() {
    let (plain, _) = trained(|_| {});
    for (name, change) in OPTIONS {
        let (whole, watched) = trained(change);
        assert_ne!(whole, plain, "{name}");
        let folder = tempfile::tempdir().unwrap();
        let mut setting = Setting::new();
        change(&mut setting.train);
        let stop_after = Some(watched.steps.len() / 2);
        let mut first = Recorder { stop_after, ..Recorder::default() };
        assert!(!setting.run(folder.path(), false, &mut first).unwrap().finished, "{name}");
        setting.run(folder.path(), true, &mut Recorder::default()).unwrap();
        assert_eq!(weights(folder.path()), whole, "{name}");
    }
}

#[test]
fn a_gradient_that_is_shorter_than_the_limit_is_left_as_it_is() {
    let (plain, _) = trained(|_| {});
    let (limited, _) = trained(|train| train.gradient_length = Some(1e9));
    assert_eq!(limited, plain);
}

#[test]
fn an_average_that_forgets_everything_is_the_last_weights_and_one_that_does_not_is_not() {
    let averaged = |decay: Option<f64>| {
        let folder = tempfile::tempdir().unwrap();
        let mut setting = Setting::new();
        setting.train.average_weights = decay;
        setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
        let encoder = Encoder::load(folder.path(), Compute::default()).unwrap();
        encoder.weights().0["branches.1.stem.weight"].values.clone()
    };
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let last = averaged(None);
    assert!(distance(&averaged(Some(0.0)), &last) < 1e-6);
    assert!(distance(&averaged(Some(0.99)), &last) > 1e-4);
}

#[test]
fn training_that_no_longer_helps_held_out_clips_stops_and_keeps_the_best_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    setting.train.held_out = 0.2;
    setting.train.mixup = 0.0;
    setting.train.learning_rate = 0.05;
    setting.train.length = TrainLength::Epochs(60);
    setting.train.early_stopping = Some(EarlyStopping { patience_epochs: 3 });
    let mut recorder = Recorder::default();
    let report = setting.run(folder.path(), false, &mut recorder).unwrap();
    let losses: Vec<f64> =
        recorder.epochs.iter().map(|epoch| epoch.held_out.unwrap().loss).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = report.best_epoch.unwrap();
    assert!(report.finished && losses.len() < 60, "{losses:?}");
    assert_eq!(losses[best].to_bits(), lowest.to_bits(), "{losses:?}");
    assert_eq!(losses.len(), best + 4, "{losses:?}");

    // The same run, ended at its best epoch, writes the same weights.
    let early = weights(folder.path());
    setting.train.length = TrainLength::Epochs(best + 1);
    setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
    assert_eq!(weights(folder.path()), early);
}

#[test]
fn early_stopping_needs_clips_to_measure_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    setting.train.early_stopping = Some(EarlyStopping::default());
    let error = setting.run(folder.path(), false, &mut Recorder::default()).unwrap_err();
    assert!(error.to_string().contains("`early_stopping`"), "{error}");
}

#[test]
fn training_ends_when_it_has_converged_and_says_where_it_has_not() {
    let report = |rule: Convergence| {
        let folder = tempfile::tempdir().unwrap();
        let mut setting = Setting::new();
        setting.train.held_out = 0.2;
        setting.train.mixup = 0.0;
        setting.train.length = TrainLength::Steps(60);
        setting.train.convergence = Some(rule);
        setting.run(folder.path(), false, &mut Recorder::default()).unwrap()
    };
    // A tolerance of all the loss leaves the accuracy alone to decide.
    let lenient = Convergence { flat_steps: 12, least_steps: 15, tolerance: 1.0 };
    let early = report(lenient);
    assert_eq!(early.converged, Some(true));
    assert!(early.finished && (15..60).contains(&early.steps), "{early:?}");
    let never = report(Convergence { least_steps: 1000, ..lenient });
    assert_eq!((never.converged, never.steps), (Some(false), 60));
}

#[test]
fn a_model_that_is_looked_at_changes_nothing_and_is_the_one_that_would_be_written() {
    let run = |look: bool| {
        let folder = tempfile::tempdir().unwrap();
        let mut setting = Setting::new();
        setting.train.average_weights = Some(0.9);
        let mut recorder = Recorder { looks: look, ..Recorder::default() };
        setting.run(folder.path(), false, &mut recorder).unwrap();
        let waves: Vec<_> = (0..4).map(|index| hum(index, Seed::new(8))).collect();
        let written = Encoder::load(folder.path(), Compute::default()).unwrap();
        let written = written.embed(&waves).unwrap();
        let seen: Vec<_> =
            recorder.models.iter().map(|model| model.embed(&waves).unwrap()).collect();
        (weights(folder.path()), written, seen)
    };
    let (plain, _, none) = run(false);
    let (bytes, written, seen) = run(true);
    assert_eq!(bytes, plain);
    assert!(none.is_empty());
    assert_eq!(seen.len(), 3, "one per epoch");
    assert_ne!(seen[0], seen[2]);
    assert_eq!(seen[2], written);
}
