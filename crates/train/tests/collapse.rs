//! The paper's contrast in small: a compactness loss that can collapse does, an angular margin loss
//! that could does not.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::ops::ControlFlow;

use offkey_core::Seed;
use offkey_infer::{BranchConfig, ClipSource, Compute, EncoderConfig, SourceError, SpectrumConfig};
use offkey_train::{
    EpochEvent, Labels, LossConfig, StepEvent, TrainConfig, TrainError, TrainJob, TrainLength,
    TrainObserver,
    loss::{
        AdaCosConfig, Centres, CompactnessConfig, IntraClassCompactnessConfig, LossRegistry,
        SubClusterAdaCosConfig,
    },
    train,
};
use rand::RngExt;

const RATE_HZ: u32 = 8000;
const CLIPS: usize = 24;
const CLASSES: usize = 3;

/// Clips of a hum in noise, in turn of each pitch.
struct Hums {
    pitches: usize,
    noise: f32,
}

impl ClipSource for Hums {
    fn len(&self) -> usize {
        CLIPS
    }

    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError> {
        let mut rng = seed.child(index).rng();
        let pitch_hz = 300.0 + 400.0 * (index % self.pitches) as f32;
        let angle = 2.0 * std::f32::consts::PI * pitch_hz / RATE_HZ as f32;
        let mut noise = || self.noise * rng.random_range(-1.0..1.0);
        Ok((0..2000).map(|n| (angle * n as f32).sin() + noise()).collect())
    }
}

#[derive(Default)]
struct Recorder(Vec<EpochEvent>);

impl TrainObserver for Recorder {
    fn step(&mut self, _step: &StepEvent) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn epoch(&mut self, epoch: &EpochEvent) {
        self.0.push(epoch.clone());
    }
}

/// Trains with every bias there is, and returns what each epoch was like.
fn epochs(
    source: &Hums,
    loss: LossConfig,
    epochs: usize,
    learning_rate: f64,
) -> Result<Vec<EpochEvent>, TrainError> {
    let spectrum = SpectrumConfig {
        filters: 16,
        kernels: vec![32, 16],
        strides: vec![16, 8],
        dense_layers: 2,
        dims: 8,
        ..SpectrumConfig::default()
    };
    let encoder = EncoderConfig {
        rate_hz: RATE_HZ,
        clip_s: 0.25,
        bias: true,
        branches: vec![BranchConfig::Spectrum(spectrum)],
        ..EncoderConfig::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::default();
    let job = TrainJob {
        source,
        labels: &Labels {
            classes: CLASSES,
            of_clip: (0..CLIPS).map(|i| (i % CLASSES) as u32).collect(),
        },
        encoder: &encoder,
        loss: &loss,
        losses: &LossRegistry::default(),
        train: &TrainConfig {
            batch_clips: 12,
            length: TrainLength::Epochs(epochs),
            learning_rate,
            mixup: 0.0,
            measure_compactness: true,
            stop_on_collapse: true,
            ..TrainConfig::default()
        },
        seed: Seed::new(5),
        compute: Compute::default(),
        folder: folder.path(),
        resume: false,
    };
    train(&job, &mut recorder)?;
    Ok(recorder.0)
}

fn collapsible() -> LossConfig {
    LossConfig::Compactness(CompactnessConfig {
        trainable_centre: true,
        ..CompactnessConfig::default()
    })
}

#[test]
fn with_biases_compactness_collapses_and_angular_losses_do_not() {
    let machines = Hums { pitches: CLASSES, noise: 0.5 };
    let last = |loss| epochs(&machines, loss, 60, 1e-2).unwrap().pop().unwrap();
    let collapsed = last(collapsible());
    assert!(collapsed.embedding_variance < 0.01, "{collapsed:?}");
    let one_point = collapsed.train.unwrap();
    assert!(one_point.inter.unwrap() < 0.02, "all classes are at one place: {one_point:?}");

    for loss in [
        LossConfig::SubClusterAdacos(SubClusterAdaCosConfig {
            sub_clusters: 2,
            centres: Centres::Trainable,
            ..SubClusterAdaCosConfig::default()
        }),
        LossConfig::Adacos(AdaCosConfig { centres: Centres::Trainable, ..AdaCosConfig::default() }),
        // Fixed class centres keep classes apart, though nothing else does.
        LossConfig::IntraClassCompactness(IntraClassCompactnessConfig::default()),
    ] {
        let kept = last(loss.clone());
        assert!(kept.embedding_variance > 0.3, "{loss:?}: {kept:?}");
        let compactness = kept.train.unwrap();
        // Measured: 0.02 to 0.4 against 0.9 to 2.5.
        assert!(compactness.intra < 0.5 * compactness.inter.unwrap(), "{loss:?}: {compactness:?}");
    }
}

#[test]
fn embeddings_that_are_all_one_are_an_error_at_the_step_they_are_met() {
    let error = epochs(&Hums { pitches: 1, noise: 0.0 }, collapsible(), 2, 1e-3).unwrap_err();
    let TrainError::Collapsed { step, variance } = error else { panic!("{error}") };
    assert!(step == 0 && variance < 1e-9, "{step} {variance}");
}
