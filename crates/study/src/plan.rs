//! What a study will run: every trial of every cell, and what it will cost.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use offkey::{ModelConfig, Recipe, TrainLength};
use offkey_core::Digest;

use crate::{
    file::{Cell, StudyFile, StudyFileError},
    recipes::{as_embedded, as_trained, recorded_noise, take_noise_from, unbound_noise},
};

/// One trial of one cell on one data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Data set, as the study names it.
    pub data: String,
    /// Where it is; none: the synthetic set, yet to be made.
    pub path: Option<PathBuf>,
    /// Trial, which is the seed and the fold.
    pub trial: u64,
    /// The cell.
    pub cell: Cell,
}

/// Every job of a study, in the order they are run: trial by trial, so that a study that was
/// stopped early has comparable cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Distinct trainings among them.
    pub trainings: usize,
    /// Expected seconds on two cores, from the recipes' multiply-adds; training dominates.
    pub expected_s: f64,
}

/// Arithmetic that training does per second on two cores, in multiply-adds of the forward pass
/// times three (forward, input gradient, weight gradient): a middling value of docs/performance.md.
const TRAINING_MACS_PER_S: f64 = 60e9;

/// How much longer the plain layers take, where the fast kernels lack something: as
/// `--kernels reference` in docs/performance.md.
const PLAIN_LAYERS: f64 = 10.0;

/// [`TRAINING_MACS_PER_S`] for the autoencoder's small dense layers: assumed, not measured.
const AUTOENCODER_MACS_PER_S: f64 = 20e9;

/// Binds data sets and recordings of noise to paths and lists every job.
///
/// `bindings` are `NAME=PATH`; `{trial}` in a path becomes the trial's number. A name that a cell gives
/// its noise, as in `audio.noise.kind.recordings='{NAME}'`, is bound to a folder of recordings; any
/// other is a data set. One that the study does not name is run too, and takes the place of unbound
/// ones.
///
/// # Errors
/// [`StudyFileError::Binding`] for a binding of another form, and what [`StudyFile::cells`] refuses.
pub fn plan(study: &StudyFile, bindings: &[String]) -> Result<Plan, StudyFileError> {
    let cells = study.cells()?;
    let is_noise = |name: &str| cells.iter().any(|cell| unbound_noise(&cell.recipe) == Some(name));
    let (noise, bound): (Vec<_>, Vec<_>) = bindings
        .iter()
        .map(|text| {
            text.split_once('=')
                .filter(|(name, path)| !name.is_empty() && !path.is_empty())
                .map(|(name, path)| (name.to_owned(), path.to_owned()))
                .ok_or_else(|| StudyFileError::Binding { text: text.clone() })
        })
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .partition(|(name, _)| is_noise(name));
    let data: Vec<(String, Option<String>)> = if bound.is_empty() {
        study.data.iter().map(|name| (name.clone(), None)).collect()
    } else {
        bound.into_iter().map(|(name, path)| (name, Some(path))).collect()
    };
    let of_trial =
        |path: &str, trial: u64| PathBuf::from(path.replace("{trial}", &trial.to_string()));
    let mut jobs = Vec::new();
    for trial in 0..cells.iter().map(|cell| cell.trials).max().unwrap_or(0) {
        for (name, path) in &data {
            for cell in cells.iter().filter(|cell| trial < cell.trials) {
                let path = path.as_deref().map(|path| of_trial(path, trial));
                let mut cell = cell.clone();
                let named = unbound_noise(&cell.recipe);
                if let Some((_, path)) = noise.iter().find(|(name, _)| named == Some(name)) {
                    take_noise_from(&mut cell.recipe, of_trial(path, trial));
                }
                jobs.push(Job { data: name.clone(), path, trial, cell });
            }
        }
    }
    Ok(Plan::of(jobs))
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, trial {}, {}", self.data, self.trial, self.cell.name)
    }
}

impl Plan {
    /// These jobs, counted.
    pub(crate) fn of(jobs: Vec<Job>) -> Self {
        let mut models = BTreeSet::new();
        let expected_s = jobs
            .iter()
            .filter(|job| models.insert(job.model_key()))
            .map(|job| expected_training_s(&job.cell.recipe))
            .sum();
        Self { jobs, trainings: models.len(), expected_s }
    }
}

impl Job {
    /// Names the trained model: jobs that differ only in scoring, or in what is done to test clips,
    /// share one.
    pub fn model_key(&self) -> String {
        self.key(&as_trained(&self.cell.recipe))
    }

    /// Names the embeddings: jobs that differ only in scoring share them.
    pub fn embedding_key(&self) -> String {
        self.key(&as_embedded(&self.cell.recipe))
    }

    /// Names the job.
    pub fn result_key(&self) -> String {
        self.key(&self.cell.recipe)
    }

    /// The folders and manifests it is bound to: its data set, and recordings of noise.
    pub(crate) fn recordings(&self) -> impl Iterator<Item = &Path> {
        let recipe = &self.cell.recipe;
        let noise = recorded_noise(recipe).filter(|_| unbound_noise(recipe).is_none());
        self.path.as_deref().into_iter().chain(noise)
    }

    fn key(&self, recipe: &Recipe) -> String {
        // Results were named when the mean of the channels was the only default.
        let mut recipe = recipe.clone();
        recipe.audio.channel.get_or_insert_default();
        let path = self.path.as_deref().map(Path::to_string_lossy).unwrap_or_default();
        let mut digest = Digest::new();
        for part in [self.data.as_str(), &path, &self.trial.to_string(), &recipe.to_toml()] {
            digest.add(part);
            digest.add([0]);
        }
        digest.hex().chars().take(16).collect()
    }
}

/// Seconds on two cores.
pub(crate) fn expected_training_s(recipe: &Recipe) -> f64 {
    /// Optimiser steps an epoch of an ordinary set here takes, where the recipe counts epochs.
    const STEPS_PER_EPOCH: usize = 4;
    /// Training clips of such a set, and windows of one of ten seconds.
    const CLIPS: usize = 256;
    const WINDOWS_PER_CLIP: usize = 300;
    match &recipe.model {
        ModelConfig::Network(network) => {
            let steps = match network.training.length {
                TrainLength::Epochs(epochs) => epochs * STEPS_PER_EPOCH,
                TrainLength::Steps(steps) => steps,
                TrainLength::AtLeast { epochs, steps } => steps.max(epochs * STEPS_PER_EPOCH),
            };
            let clips = steps * network.training.batch_clips;
            // Distances are measured after each epoch, on training and half as many test clips.
            let epochs =
                if network.training.measure_compactness { clips.div_ceil(CLIPS) } else { 0 };
            let passes = 3.0 * clips as f64 + 1.5 * (epochs * CLIPS) as f64;
            let slower = if network.encoder.suits_kernels() { 1.0 } else { PLAIN_LAYERS };
            slower * passes * network.encoder.multiply_adds() as f64 / TRAINING_MACS_PER_S
        }
        ModelConfig::Statistics(_) => 5.0,
        ModelConfig::Pooled(_) | ModelConfig::Onnx(_) => 0.0,
        ModelConfig::Autoencoder(model) => {
            let windows = model.network.epochs * CLIPS * WINDOWS_PER_CLIP;
            3.0 * windows as f64 * model.network.multiply_adds() as f64 / AUTOENCODER_MACS_PER_S
        }
    }
}
