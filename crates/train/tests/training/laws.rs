//! Laws of a training and of what it writes.

use std::fs;

use offkey_core::Seed;
use offkey_infer::{Compute, Encoder, Kernels, ModelError};
use offkey_train::{
    BatchNormStatistics, LossConfig, SelfSupervision, StepEvent, TrainError, TrainLength,
    loss::{Centres, CompactnessConfig, ScaleRule, SubClusterAdaCosConfig},
};

use super::hums::{Recorder, Setting, hum, labels, weights};

#[test]
fn training_lowers_the_loss_and_the_embedding_tells_the_hums_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    setting.train.length = TrainLength::Steps(118);
    setting.train.mixup = 0.0;
    setting.train.learning_rate = 5e-3;
    let mut recorder = Recorder::default();
    let report = setting.run(folder.path(), false, &mut recorder).unwrap();
    assert!(report.finished && report.statistics_recomputed);
    assert_eq!((report.epochs, report.steps), (30, 118));
    let losses: Vec<f64> = recorder.epochs.iter().map(|epoch| epoch.loss).collect();
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");

    let encoder = Encoder::load(folder.path(), Compute::default()).unwrap();
    let waves: Vec<_> = (0..6).map(|index| hum(index, Seed::new(99))).collect();
    let embeddings = encoder.embed(&waves).unwrap();
    let cosine = |a: usize, b: usize| embeddings.row(a).dot(&embeddings.row(b));
    for (a, b, other) in [(0, 3, 1), (1, 4, 2), (2, 5, 0)] {
        assert!(cosine(a, b) > cosine(a, other) + 0.1, "{} {}", cosine(a, b), cosine(a, other));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let setting = Setting::new();
    let bytes_with = |threads: usize| {
        let folder = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| setting.run(folder.path(), false, &mut Recorder::default())).unwrap();
        weights(folder.path())
    };
    let one = bytes_with(1);
    assert_eq!(one, bytes_with(1));
    assert_eq!(one, bytes_with(2));
    assert_eq!(one, bytes_with(3));
}

#[test]
fn another_seed_gives_other_weights() {
    let bytes_of = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let setting = Setting { seed, ..Setting::new() };
        setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
        weights(folder.path())
    };
    assert_ne!(bytes_of(1), bytes_of(2));
}

#[test]
fn a_stopped_and_resumed_run_gives_the_bytes_of_an_uninterrupted_one() {
    let setting = Setting::new();
    let whole = tempfile::tempdir().unwrap();
    let mut watched = Recorder::default();
    setting.run(whole.path(), false, &mut watched).unwrap();
    let steps = watched.steps.len();
    // In the middle of an epoch, at its end, and before the last step.
    for stop in [1, steps / 3, steps - 1] {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder { stop_after: Some(stop), ..Recorder::default() };
        let report = setting.run(folder.path(), false, &mut recorder).unwrap();
        assert!(!report.finished);
        assert!(!folder.path().join("weights.safetensors").exists());
        let mut rest = Recorder::default();
        let report = setting.run(folder.path(), true, &mut rest).unwrap();
        assert!(report.finished);
        assert_eq!(report.steps, steps);
        assert_eq!(rest.steps[0].step, stop);
        let last_step = |recorder: &Recorder| recorder.steps.last().map(|step| step.loss);
        assert_eq!(last_step(&rest), last_step(&watched));
        let last_epoch = |recorder: &Recorder| recorder.epochs.last().map(|epoch| epoch.loss);
        assert_eq!(last_epoch(&rest), last_epoch(&watched));
        assert_eq!(weights(folder.path()), weights(whole.path()), "stopped after {stop}");
    }
}

#[test]
fn a_resumed_run_keeps_the_scales_and_the_second_loss() {
    let setting = || {
        let mut setting = Setting::new();
        setting.train.self_supervision = SelfSupervision::Both;
        setting.loss = LossConfig::SubClusterAdacos(SubClusterAdaCosConfig {
            sub_clusters: 4,
            scale: ScaleRule::Dynamic,
            centres: Centres::Fixed,
        });
        setting
    };
    let whole = tempfile::tempdir().unwrap();
    let mut watched = Recorder::default();
    setting().run(whole.path(), false, &mut watched).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder { stop_after: Some(2), ..Recorder::default() };
    setting().run(folder.path(), false, &mut recorder).unwrap();
    let mut rest = Recorder::default();
    setting().run(folder.path(), true, &mut rest).unwrap();
    let scales = |steps: &[StepEvent]| steps.iter().map(|step| step.scale).collect::<Vec<_>>();
    assert_eq!(scales(&rest.steps), scales(&watched.steps[2..]));
    assert_ne!(rest.steps[0].scale, rest.steps[1].scale);
    assert_eq!(weights(folder.path()), weights(whole.path()));
}

#[test]
fn every_exchange_trains_and_teaches_something_else() {
    let weights_with = |rule: SelfSupervision| {
        let folder = tempfile::tempdir().unwrap();
        let mut setting = Setting::new();
        setting.train.self_supervision = rule;
        setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
        weights(folder.path())
    };
    let rules = [
        SelfSupervision::None,
        SelfSupervision::FeatureExchange,
        SelfSupervision::StatisticsExchange,
        SelfSupervision::Both,
    ];
    let all: Vec<_> = rules.into_iter().map(weights_with).collect();
    for (index, weights) in all.iter().enumerate() {
        assert!(!all[..index].contains(weights), "{:?}", rules[index]);
    }
}

#[test]
fn every_loss_trains() {
    for name in LossConfig::NAMES {
        let mut setting = Setting::new();
        setting.loss = serde_json::from_str(&format!("{{\"{name}\":{{}}}}")).unwrap();
        setting.train.length = TrainLength::Epochs(5);
        setting.train.mixup = 0.0;
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::default();
        setting.run(folder.path(), false, &mut recorder).unwrap();
        let losses: Vec<f64> = recorder.epochs.iter().map(|epoch| epoch.loss).collect();
        // A few clips make a restless loss: one epoch below the first shows that it can fall.
        assert!(losses[1..].iter().any(|loss| *loss < losses[0]), "{name}: {losses:?}");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    let mut recorder = Recorder { stop_after: Some(2), ..Recorder::default() };
    setting.run(folder.path(), false, &mut recorder).unwrap();
    setting.seed += 1;
    let error = setting.run(folder.path(), true, &mut Recorder::default()).unwrap_err();
    assert!(matches!(error, TrainError::OtherRun { field: "seed", .. }), "{error}");
    // The checkpoint survives the refusal.
    setting.seed -= 1;
    let report = setting.run(folder.path(), true, &mut Recorder::default()).unwrap();
    assert!(report.finished);
}

#[test]
fn an_embedding_does_not_depend_on_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new();
    setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
    let waves: Vec<_> = (0..7).map(|index| hum(index, Seed::new(8))).collect();
    for kernels in [Kernels::Auto, Kernels::Reference] {
        let compute = Compute { kernels, ..Compute::default() };
        let encoder = Encoder::load(folder.path(), compute).unwrap();
        let together = encoder.embed(&waves).unwrap();
        for (index, wave) in waves.iter().enumerate() {
            let alone = encoder.embed(std::slice::from_ref(wave)).unwrap();
            assert_eq!(alone.row(0), together.row(index), "{kernels} clip {index}");
        }
    }
}

#[test]
fn a_model_embeds_alike_with_both_kinds_of_kernels() {
    let folder = tempfile::tempdir().unwrap();
    Setting::new().run(folder.path(), false, &mut Recorder::default()).unwrap();
    let waves: Vec<_> = (0..4).map(|index| hum(index, Seed::new(8))).collect();
    let embed = |kernels| {
        let compute = Compute { kernels, ..Compute::default() };
        Encoder::load(folder.path(), compute).unwrap().embed(&waves).unwrap()
    };
    // Both sum the same f32 products, in different orders.
    for (fast, plain) in embed(Kernels::Auto).iter().zip(&embed(Kernels::Reference)) {
        approx::assert_abs_diff_eq!(fast, plain, epsilon = 1e-4);
    }
}

#[test]
fn features_lead_to_the_embedding_and_a_silenced_branch_changes_only_its_part() {
    let folder = tempfile::tempdir().unwrap();
    Setting::new().run(folder.path(), false, &mut Recorder::default()).unwrap();
    let encoder = Encoder::load(folder.path(), Compute::default()).unwrap();
    let wave = hum(1, Seed::new(8));
    let mut features = encoder.features(&wave).unwrap();
    let direct = encoder.embed_raw(&[wave]).unwrap();
    assert_eq!(encoder.embed_features(std::slice::from_ref(&features)).unwrap(), direct);
    let frames = &mut features.branches[1];
    frames.fill(0.0);
    let silenced = encoder.embed_features(&[features]).unwrap();
    assert_eq!(silenced.row(0).as_slice().unwrap()[..8], direct.row(0).as_slice().unwrap()[..8]);
    assert_ne!(silenced.row(0).as_slice().unwrap()[8..], direct.row(0).as_slice().unwrap()[8..]);
}

#[test]
fn what_cannot_be_trained_is_said() {
    type Break = fn(&mut Setting);
    let error_after = |breaks: Break| {
        let mut setting = Setting::new();
        breaks(&mut setting);
        setting.error().to_string()
    };
    let rows: [(Break, &str); 11] = [
        (|s| s.source.broken = Some(3), "cannot read training clip 3"),
        (|s| s.encoder.clip_s = 0.25, "has 4000 samples, expected 2000"),
        (|s| s.labels.of_clip[4] = 9, "clip 4 has class 9, expected one below 3"),
        (|s| s.labels = labels(19), "19 labels for 20 clips"),
        (|s| s.train.mixup = 1.5, "`mixup` is 1.5, expected a probability"),
        (|s| s.train.learning_rate = 1e30, "training has diverged"),
        (|s| s.train.masking.time_share = 2.0, "`masking.time_share` is 2, expected a share"),
        (|s| s.encoder.branches.clear(), "cannot build the encoder"),
        (
            |s| {
                s.encoder.branches.pop();
                s.train.self_supervision = SelfSupervision::FeatureExchange;
            },
            "expected an encoder of at least two branches",
        ),
        (
            |s| {
                s.encoder.branches.pop();
                s.train.self_supervision = SelfSupervision::StatisticsExchange;
            },
            "expected an encoder with a spectrogram branch",
        ),
        (
            |s| {
                s.loss = LossConfig::Compactness(CompactnessConfig::default());
                s.train.self_supervision = SelfSupervision::Both;
            },
            "the loss does not tell classes apart",
        ),
    ];
    for (breaks, expected) in rows {
        let found = error_after(breaks);
        assert!(found.contains(expected), "{found}, expected {expected}");
    }
}

#[test]
fn a_damaged_or_foreign_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Encoder::load(folder.path(), Compute::default());
    assert!(matches!(load().unwrap_err(), ModelError::Io { .. }));
    Setting::new().run(folder.path(), false, &mut Recorder::default()).unwrap();
    let whole = weights(folder.path());
    let path = folder.path().join("weights.safetensors");
    for cut in [0, 7, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(load().unwrap_err(), ModelError::Damaged { .. }), "cut at {cut}");
    }
    fs::write(&path, &whole).unwrap();
    let card = folder.path().join("encoder.toml");
    let text = fs::read_to_string(&card).unwrap();
    fs::write(&card, text.replace("dims = 8", "dims = 9")).unwrap();
    assert!(matches!(load().unwrap_err(), ModelError::Mismatch { .. }));
    fs::write(&card, text.replace("format = 1", "format = 2")).unwrap();
    assert!(matches!(load().unwrap_err(), ModelError::Damaged { .. }));
    fs::write(&card, text).unwrap();
    load().unwrap();
}

#[test]
fn squeeze_and_excitation_biases_and_plain_norms_train_too() {
    let mut setting = Setting::new();
    setting.encoder.squeeze_excitation = true;
    setting.encoder.bias = true;
    setting.encoder.batch_norm_affine = false;
    setting.train.length = TrainLength::Epochs(1);
    setting.train.batch_norm = BatchNormStatistics::Running;
    let folder = tempfile::tempdir().unwrap();
    let report = setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
    assert!(report.finished && !report.statistics_recomputed);
    let encoder = Encoder::load(folder.path(), Compute::default()).unwrap();
    let embedding = encoder.embed(&[hum(0, Seed::new(1))]).unwrap();
    assert!(embedding.iter().all(|x| x.is_finite()));
}
