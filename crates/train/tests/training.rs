//! Laws of training and embedding, on a tiny encoder and machines that hum at different pitches.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::{fs, ops::ControlFlow, path::Path};

use offkey_core::Seed;
use offkey_infer::{
    BranchConfig, BranchFeatures, ClipSource, Compute, Encoder, EncoderConfig, Kernels, ModelError,
    SourceError, SpectrumConfig, StftConfig, weights::NamedTensors,
};
use offkey_train::{
    BatchNormStatistics, EpochEvent, Labels, LossConfig, SelfSupervision, StepEvent, TrainConfig,
    TrainError, TrainJob, TrainLength, TrainObserver, TrainReport,
    loss::{Centres, CompactnessConfig, LossRegistry, ScaleRule, SubClusterAdaCosConfig},
    train,
};
use rand::RngExt;

const RATE_HZ: u32 = 8000;
const SAMPLES: usize = 4000;
const CLASSES: usize = 3;

/// Clips of a hum in noise; the pitch is the class's.
struct Hums {
    clips: usize,
    broken: Option<usize>,
    /// Absent, clips are drawn anew in every epoch and classes dealt in turn. Else clips are the same
    /// whatever is asked, and whether those of a class stand together, as in real data.
    sorted: Option<bool>,
}

impl Hums {
    /// The clip that stands at a place.
    fn clip(&self, place: usize) -> usize {
        let of_class = self.clips / CLASSES;
        if self.sorted == Some(true) {
            place % of_class * CLASSES + place / of_class
        } else {
            place
        }
    }

    fn labels(&self) -> Labels {
        let class = |place| (self.clip(place) % CLASSES) as u32;
        Labels { classes: CLASSES, of_clip: (0..self.clips).map(class).collect() }
    }
}

impl ClipSource for Hums {
    fn len(&self) -> usize {
        self.clips
    }

    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError> {
        if self.broken == Some(index) {
            return Err("no such clip".into());
        }
        let seed = if self.sorted.is_some() { Seed::new(77) } else { seed };
        Ok(hum(self.clip(index), seed))
    }
}

fn hum(index: usize, seed: Seed) -> Vec<f32> {
    let mut rng = seed.child(index).rng();
    let pitch_hz = 300.0 + 400.0 * (index % CLASSES) as f32;
    let angle = 2.0 * std::f32::consts::PI * pitch_hz / RATE_HZ as f32;
    (0..SAMPLES).map(|n| (angle * n as f32).sin() + rng.random_range(-0.5..0.5)).collect()
}

fn labels(clips: usize) -> Labels {
    Labels { classes: CLASSES, of_clip: (0..clips).map(|i| (i % CLASSES) as u32).collect() }
}

fn tiny() -> EncoderConfig {
    EncoderConfig {
        rate_hz: RATE_HZ,
        clip_s: 0.5,
        branches: vec![
            BranchConfig::Spectrum(SpectrumConfig {
                filters: 16,
                kernels: vec![32, 16],
                strides: vec![16, 8],
                dense_layers: 2,
                dims: 8,
                ..SpectrumConfig::default()
            }),
            BranchConfig::Stft(StftConfig {
                window: 128,
                hop: 64,
                stem_stride: 2,
                stage_channels: vec![16, 16],
                dims: 8,
                ..StftConfig::default()
            }),
        ],
        ..EncoderConfig::default()
    }
}

fn settings() -> TrainConfig {
    TrainConfig { batch_clips: 6, length: TrainLength::Epochs(3), ..TrainConfig::default() }
}

/// Remembers what it was told, and stops after so many steps.
#[derive(Default)]
struct Recorder {
    stop_after: Option<usize>,
    steps: Vec<StepEvent>,
    epochs: Vec<EpochEvent>,
}

impl TrainObserver for Recorder {
    fn step(&mut self, step: &StepEvent) -> ControlFlow<()> {
        self.steps.push(step.clone());
        if self.stop_after == Some(self.steps.len()) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn epoch(&mut self, epoch: &EpochEvent) {
        self.epochs.push(epoch.clone());
    }
}

/// A job on hums, to be changed by a test before it runs.
struct Setting {
    source: Hums,
    labels: Labels,
    encoder: EncoderConfig,
    loss: LossConfig,
    train: TrainConfig,
    seed: u64,
    compute: Compute,
}

impl Setting {
    fn new() -> Self {
        Self {
            source: Hums { clips: 20, broken: None, sorted: None },
            labels: labels(20),
            encoder: tiny(),
            loss: LossConfig::default(),
            train: settings(),
            seed: 5,
            compute: Compute::default(),
        }
    }

    fn run(
        &self,
        folder: &Path,
        resume: bool,
        recorder: &mut Recorder,
    ) -> Result<TrainReport, TrainError> {
        let job = TrainJob {
            source: &self.source,
            labels: &self.labels,
            encoder: &self.encoder,
            loss: &self.loss,
            losses: &LossRegistry::default(),
            train: &self.train,
            seed: Seed::new(self.seed),
            compute: self.compute,
            folder,
            resume,
        };
        train(&job, recorder)
    }

    fn error(&self) -> TrainError {
        let folder = tempfile::tempdir().unwrap();
        self.run(folder.path(), false, &mut Recorder::default()).unwrap_err()
    }
}

fn weights(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("weights.safetensors")).unwrap()
}

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
    let BranchFeatures::Stft(frames) = &mut features.branches[1] else { unreachable!() };
    frames.fill(0.0);
    let silenced = encoder.embed_features(&[features]).unwrap();
    assert_eq!(silenced.row(0).as_slice().unwrap()[..8], direct.row(0).as_slice().unwrap()[..8]);
    assert_ne!(silenced.row(0).as_slice().unwrap()[8..], direct.row(0).as_slice().unwrap()[8..]);
}

#[test]
fn compactness_is_measured_where_asked_for_and_held_out_clips_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut setting = Setting::new();
    setting.train.measure_compactness = true;
    setting.train.mixup = 0.0;
    setting.train.learning_rate = 5e-3;
    setting.train.length = TrainLength::Epochs(20);
    let epochs_with = |setting: &Setting| {
        let mut recorder = Recorder::default();
        setting.run(folder.path(), false, &mut recorder).unwrap();
        recorder.epochs
    };
    let all = epochs_with(&setting);
    assert!(all.iter().all(|epoch| epoch.held_out.is_none()));
    let (first, last) = (all[0].train.unwrap(), all[19].train.unwrap());
    assert!(last.intra < 0.5 * first.intra, "{first:?}, {last:?}");
    assert!(last.own_centre.unwrap() < first.own_centre.unwrap(), "{first:?}, {last:?}");
    assert!(last.loss < first.loss, "{first:?}, {last:?}");
    assert!(last.between.unwrap() > 0.5 && last.inter.unwrap() > last.intra, "{last:?}");
    assert_eq!(last.accuracy, Some(1.0));

    setting.train.held_out = 0.2;
    let some = epochs_with(&setting);
    let last = some[19].held_out.unwrap();
    assert!(last.accuracy.unwrap() > 0.5 && last.inter.unwrap() > last.intra, "{last:?}");
    assert_ne!(some[19].train, all[19].train, "clips that are held out teach nothing");
}

/// Sixty hums that never change, in one order or another, and a training that hardly moves: nothing
/// has been learnt that another order would have taught otherwise.
fn untaught(sorted: bool, batch_clips: usize) -> Setting {
    let mut setting = Setting::new();
    setting.source = Hums { clips: 60, broken: None, sorted: Some(sorted) };
    setting.labels = setting.source.labels();
    setting.train.learning_rate = 1e-9;
    setting.train.batch_clips = batch_clips;
    setting.train.length = TrainLength::Epochs(1);
    setting
}

#[test]
fn what_is_measured_does_not_depend_on_the_order_of_the_source() {
    let measured = |sorted: bool| {
        let folder = tempfile::tempdir().unwrap();
        let mut setting = untaught(sorted, 20);
        setting.train.measure_compactness = true;
        let mut recorder = Recorder::default();
        setting.run(folder.path(), false, &mut recorder).unwrap();
        recorder.epochs[0].train.unwrap()
    };
    let (sorted, dealt) = (measured(true), measured(false));
    let pairs = [
        (sorted.intra, dealt.intra),
        (sorted.inter.unwrap(), dealt.inter.unwrap()),
        (sorted.between.unwrap(), dealt.between.unwrap()),
        (sorted.loss, dealt.loss),
    ];
    // In batches of one class each, distances would differ by a factor.
    for (sorted_value, dealt_value) in pairs {
        let ratio = sorted_value / dealt_value;
        assert!((0.9..1.1).contains(&ratio), "{sorted:?}, {dealt:?}");
    }
}

#[test]
fn recomputed_statistics_are_those_of_all_clips_whatever_the_order_of_the_source() {
    let statistics = |sorted: bool, batch_clips: usize| {
        let folder = tempfile::tempdir().unwrap();
        let setting = untaught(sorted, batch_clips);
        setting.run(folder.path(), false, &mut Recorder::default()).unwrap();
        let encoder = Encoder::load(folder.path(), Compute::default()).unwrap();
        encoder.weights().clone()
    };
    let whole = statistics(false, 60);
    for sorted in [true, false] {
        let found = statistics(sorted, 20);
        for (name, truth) in whole.0.iter().filter(|(name, _)| name.ends_with("running_variance")) {
            let mean_name = name.replace("variance", "mean");
            let values = |from: &NamedTensors, name: &str| from.0[name].values.clone();
            let (variances, means) = (values(&found, name), values(&found, &mean_name));
            let features = truth.values.iter().zip(variances).enumerate();
            // What a norm sees of the input itself is exact; deeper norms see what the batch's own
            // statistics left, which which clips met in a batch moves a little.
            let first = name.ends_with("bin_norm.running_variance");
            let tolerance = if first { 1e-4 } else { 0.1 };
            let mut worst = 0.0_f32;
            for (feature, (&truth, found)) in features {
                let of_mean = (whole.0[&mean_name].values[feature] - means[feature]).abs();
                let floor = 1e-3;
                worst = worst.max(((found + floor) / (truth + floor) - 1.0).abs());
                worst = worst.max(of_mean / (truth + floor).sqrt());
            }
            assert!(worst < tolerance, "sorted {sorted}: {name} is off by {worst}");
        }
    }
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
