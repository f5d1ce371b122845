//! Machines that hum at different pitches, and a small training on them.

use std::{fs, ops::ControlFlow, path::Path};

use offkey_core::Seed;
use offkey_infer::{
    BranchConfig, ClipSource, Compute, Encoder, EncoderConfig, SourceError, SpectrumConfig,
    StftConfig,
};
use offkey_train::{
    EpochEvent, Labels, LossConfig, StepEvent, TrainConfig, TrainError, TrainJob, TrainLength,
    TrainObserver, TrainReport, loss::LossRegistry, train,
};
use rand::RngExt;

pub(crate) const RATE_HZ: u32 = 8000;
pub(crate) const SAMPLES: usize = 4000;
pub(crate) const CLASSES: usize = 3;

/// Clips of a hum in noise; the pitch is the class's.
pub(crate) struct Hums {
    pub(crate) clips: usize,
    pub(crate) broken: Option<usize>,
    /// Absent, clips are drawn anew in every epoch and classes dealt in turn. Else clips are the same
    /// whatever is asked, and whether those of a class stand together, as in real data.
    pub(crate) sorted: Option<bool>,
}

impl Hums {
    /// The clip that stands at a place.
    pub(crate) fn clip(&self, place: usize) -> usize {
        let of_class = self.clips / CLASSES;
        if self.sorted == Some(true) {
            place % of_class * CLASSES + place / of_class
        } else {
            place
        }
    }

    pub(crate) fn labels(&self) -> Labels {
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

pub(crate) fn hum(index: usize, seed: Seed) -> Vec<f32> {
    let mut rng = seed.child(index).rng();
    let pitch_hz = 300.0 + 400.0 * (index % CLASSES) as f32;
    let angle = 2.0 * std::f32::consts::PI * pitch_hz / RATE_HZ as f32;
    (0..SAMPLES).map(|n| (angle * n as f32).sin() + rng.random_range(-0.5..0.5)).collect()
}

pub(crate) fn labels(clips: usize) -> Labels {
    Labels { classes: CLASSES, of_clip: (0..clips).map(|i| (i % CLASSES) as u32).collect() }
}

pub(crate) fn tiny() -> EncoderConfig {
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

pub(crate) fn settings() -> TrainConfig {
    TrainConfig { batch_clips: 6, length: TrainLength::Epochs(3), ..TrainConfig::default() }
}

/// Remembers what it was told, and stops after so many steps.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) stop_after: Option<usize>,
    pub(crate) steps: Vec<StepEvent>,
    pub(crate) epochs: Vec<EpochEvent>,
    /// Whether it asks for the model of every epoch.
    pub(crate) looks: bool,
    pub(crate) models: Vec<Encoder>,
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

    fn wants_model(&self, _epoch: usize) -> bool {
        self.looks
    }

    fn model(&mut self, _epoch: usize, encoder: Encoder) {
        self.models.push(encoder);
    }
}

/// A job on hums, to be changed by a test before it runs.
pub(crate) struct Setting {
    pub(crate) source: Hums,
    pub(crate) labels: Labels,
    pub(crate) encoder: EncoderConfig,
    pub(crate) loss: LossConfig,
    pub(crate) train: TrainConfig,
    pub(crate) seed: u64,
    pub(crate) compute: Compute,
}

impl Setting {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn run(
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

    pub(crate) fn error(&self) -> TrainError {
        let folder = tempfile::tempdir().unwrap();
        self.run(folder.path(), false, &mut Recorder::default()).unwrap_err()
    }
}

pub(crate) fn weights(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("weights.safetensors")).unwrap()
}
