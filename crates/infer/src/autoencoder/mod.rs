//! The challenge's official baseline: an autoencoder of log-mel windows, trained on one machine's
//! normal clips, that reconstructs anomalies worse.
//!
//! Source: Harada et al., "First-shot anomaly detection for machine condition monitoring: A domain
//! generalization baseline", EUSIPCO 2023.

mod residuals;

use std::{fs, path::Path};

use ndarray::Array2;
use offkey_signal::LogMel;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use crate::error::AutoencoderError;
use crate::{
    ModelError,
    layers::{FoldedDense, Layers},
    weights::{NamedTensor, NamedTensors, damaged, io_error, write_atomically},
};
use residuals::Precisions;

const CONFIG_FILE: &str = "autoencoder.toml";
const WEIGHTS_FILE: &str = "autoencoder.safetensors";
/// What stands for the file in errors.
const IN_MEMORY: &str = "autoencoder";
/// Prefixes of the inverse covariances of windows and of frames.
const WINDOWS: &str = "precision";
const FRAMES: &str = "frame-precision";
/// Prefix of the network's tensors.
const NETWORK: &str = "network";

/// The autoencoder and its training; the defaults are the official baseline's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderConfig {
    /// The spectrogram whose windows are reconstructed.
    pub log_mel: LogMel,
    /// Neighbouring frames that make one window.
    pub frames: usize,
    /// Width of the layers before and after the waist.
    pub hidden: usize,
    /// Layers on each side of the waist.
    pub hidden_layers: usize,
    /// Width of the narrowest layer.
    pub waist: usize,
    /// Passes over all windows.
    pub epochs: usize,
    /// Windows per step.
    pub batch_windows: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
}

/// A trained autoencoder.
#[derive(Debug)]
pub struct Autoencoder {
    config: AutoencoderConfig,
    /// By the names of [`AutoencoderConfig::tensors`].
    weights: NamedTensors,
    layers: Vec<FoldedDense>,
    /// Of the errors on source and on target clips, where there were some.
    precisions: Vec<Precisions>,
}

/// How badly a clip is reconstructed. Larger is more anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AutoencoderScore {
    /// Mean squared error.
    pub squared_error: f64,
    /// The smaller of the mean squared Mahalanobis distances of whole windows under the errors of
    /// source and of target training clips. Our own variant of the baseline's "selective" score.
    pub windowed_mahalanobis: f64,
    /// The baseline's "selective" score itself: the smaller of the squared Mahalanobis distances of
    /// the mean frame. Absent in models written before it was known.
    pub mahalanobis: Option<f64>,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            log_mel: LogMel::default(),
            frames: 5,
            hidden: 128,
            hidden_layers: 4,
            waist: 8,
            epochs: 100,
            batch_windows: 256,
            learning_rate: 1e-3,
        }
    }
}

impl AutoencoderConfig {
    /// Multiply-adds of one window's reconstruction.
    pub fn multiply_adds(&self) -> u64 {
        let inner = (2 * self.hidden_layers).saturating_sub(2) * self.hidden * self.hidden;
        let ends = 2 * self.hidden * (self.inputs() + self.waist);
        (inner + ends) as u64
    }

    /// Numbers of one window.
    pub fn inputs(&self) -> usize {
        self.frames * self.log_mel.mels
    }

    /// Widths of the layers between input and output.
    pub fn hidden_widths(&self) -> Vec<usize> {
        let side = vec![self.hidden; self.hidden_layers];
        [side.clone(), vec![self.waist], side].concat()
    }

    /// Name and shape of every tensor of the network; `running_mean` and `running_variance` are
    /// statistics, all others are trained.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = Vec::new();
        let mut inputs = self.inputs();
        for (layer, width) in self.hidden_widths().into_iter().enumerate() {
            let name = |part: &str| format!("hidden.{layer}.{part}");
            tensors.push((name("dense.weight"), vec![width, inputs]));
            tensors.push((name("dense.bias"), vec![width]));
            for part in ["gamma", "beta", "running_mean", "running_variance"] {
                tensors.push((name(&format!("norm.{part}")), vec![width]));
            }
            inputs = width;
        }
        tensors.push(("last.weight".to_owned(), vec![self.inputs(), inputs]));
        tensors.push(("last.bias".to_owned(), vec![self.inputs()]));
        tensors
    }

    /// Makes sure that no count is zero.
    ///
    /// # Errors
    /// [`AutoencoderError::Setting`] names the first that is.
    pub fn check(&self) -> Result<(), AutoencoderError> {
        let counts = [
            ("frames", self.frames),
            ("hidden", self.hidden),
            ("waist", self.waist),
            ("epochs", self.epochs),
            ("batch_windows", self.batch_windows),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((field, _)) => Err(AutoencoderError::Setting { field }),
            None => Ok(()),
        }
    }

    /// The frames of one clip, row-major; `clip` stands for it in errors.
    ///
    /// # Errors
    /// [`AutoencoderError::Feature`] or [`AutoencoderError::TooShort`] when it has no window.
    pub fn spectrogram(&self, clip: usize, wave: &[f32]) -> Result<Vec<f32>, AutoencoderError> {
        let feature = |source| AutoencoderError::Feature { clip, source };
        let frames = self.log_mel.log_mel(wave).map_err(feature)?;
        if frames.nrows() < self.frames {
            let (found, expected) = (frames.nrows(), self.frames);
            return Err(AutoencoderError::TooShort { clip, found, expected });
        }
        Ok(frames.into_raw_vec_and_offset().0)
    }

    /// All windows of a clip's frames, `[windows, inputs]`: neighbours share frames.
    fn windows(&self, frames: &[f32]) -> Array2<f32> {
        let rows: Vec<f32> =
            frames.windows(self.inputs()).step_by(self.log_mel.mels).flatten().copied().collect();
        Array2::from_shape_vec((rows.len() / self.inputs(), self.inputs()), rows)
            .expect("windows of equal length")
    }
}

impl Autoencoder {
    /// The autoencoder of these weights, which are all of [`AutoencoderConfig::tensors`], with the
    /// errors it makes on the frames of normal training clips of the source and the target domain.
    pub fn new(
        config: AutoencoderConfig,
        weights: NamedTensors,
        spectrograms: &[Vec<f32>],
        is_target: &[bool],
    ) -> Self {
        let mut fitted = Self::with_precisions(config, weights, Vec::new());
        for domain in [false, true] {
            let of_domain = spectrograms.iter().zip(is_target).filter(|(_, d)| **d == domain);
            let errors = of_domain.map(|(frames, _)| fitted.errors(frames));
            let (inputs, mels) = (fitted.config.inputs(), fitted.config.log_mel.mels);
            let precisions = Precisions::of(errors, inputs, mels);
            fitted.precisions.extend(precisions);
        }
        fitted
    }

    fn with_precisions(
        config: AutoencoderConfig,
        weights: NamedTensors,
        precisions: Vec<Precisions>,
    ) -> Self {
        let mut named = NamedTensors::default();
        named.extend(NETWORK, weights.clone());
        let layers = Layers { weights: &named, prefix: NETWORK.to_owned() };
        let layers = layers.dense_stack(config.hidden_widths().len());
        Self { config, weights, layers, precisions }
    }

    /// Numbers that stand for a clip's embedding: squared error, our windowed Mahalanobis distance
    /// and, where the model has it, the official selective Mahalanobis distance.
    pub fn dims(&self) -> usize {
        if self.precisions.iter().any(|p| p.frames.is_none()) { 2 } else { 3 }
    }

    /// Architecture and training.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// The scores of clips in place of embeddings, `[clips, dims]`.
    ///
    /// # Errors
    /// As [`Autoencoder::score`].
    pub fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, AutoencoderError> {
        let scores = self.score(waves)?;
        let of_clip = |score: &AutoencoderScore| {
            let known = [score.squared_error, score.windowed_mahalanobis];
            known.into_iter().chain(score.mahalanobis).map(|x| x as f32).collect::<Vec<_>>()
        };
        let values: Vec<f32> = scores.iter().flat_map(of_clip).collect();
        Ok(Array2::from_shape_vec((scores.len(), self.dims()), values).expect("dims per clip"))
    }

    /// Trained numbers.
    pub fn parameters(&self) -> usize {
        let trained = |(name, _): &&(String, Vec<usize>)| !name.contains(".running_");
        let tensors = self.config.tensors();
        tensors.iter().filter(trained).map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Scores of clips, in order.
    ///
    /// # Errors
    /// [`AutoencoderError::Feature`] or [`AutoencoderError::TooShort`] when a clip has no window.
    pub fn score(&self, waves: &[Vec<f32>]) -> Result<Vec<AutoencoderScore>, AutoencoderError> {
        let of_clip = |(clip, wave): (usize, &Vec<f32>)| {
            let errors = self.errors(&self.config.spectrogram(clip, wave)?);
            let squares = errors.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            let windowed = self.precisions.iter().map(|p| p.windowed_distance(&errors));
            let official = self.precisions.iter().map(|p| p.official_distance(&errors));
            let official = official.collect::<Option<Vec<f64>>>();
            Ok(AutoencoderScore {
                squared_error: squares / errors.len() as f64,
                windowed_mahalanobis: windowed.fold(f64::INFINITY, f64::min),
                mahalanobis: official.map(|all| all.into_iter().fold(f64::INFINITY, f64::min)),
            })
        };
        waves.iter().enumerate().map(of_clip).collect()
    }

    /// Differences between windows and their reconstructions, `[windows, inputs]`.
    fn errors(&self, frames: &[f32]) -> Array2<f32> {
        let windows = self.config.windows(frames);
        let reconstruct =
            |window: &[f32]| self.layers.iter().fold(window.to_vec(), |x, layer| layer.forward(&x));
        let (shape, values) = (windows.dim(), windows.as_slice().unwrap_or_default());
        let output: Vec<f32> =
            values.par_chunks_exact(self.config.inputs()).flat_map_iter(reconstruct).collect();
        windows - Array2::from_shape_vec(shape, output).expect("as many as came in")
    }

    /// Writes the autoencoder into a model folder, which is made if absent.
    ///
    /// # Errors
    /// [`ModelError::Io`] when it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        let path = folder.join(CONFIG_FILE);
        let text = toml::to_string(&self.config).map_err(|error| damaged(&path, &error))?;
        write_atomically(&path, text.as_bytes())?;
        self.tensors().write(&folder.join(WEIGHTS_FILE), None)
    }

    /// The network's weights and the inverse covariances.
    fn tensors(&self) -> NamedTensors {
        let mut tensors = NamedTensors::default();
        tensors.extend(NETWORK, self.weights.clone());
        for (index, Precisions { windows, frames }) in self.precisions.iter().enumerate() {
            let mut add = |kind: &str, precision: &Array2<f32>| {
                let values = precision.iter().copied().collect();
                let tensor = NamedTensor { shape: precision.shape().to_vec(), values };
                tensors.0.insert(format!("{kind}.{index}"), tensor);
            };
            add(WINDOWS, windows);
            if let Some(frames) = frames {
                add(FRAMES, frames);
            }
        }
        tensors
    }

    /// Reads what [`Autoencoder::save`] wrote.
    ///
    /// # Errors
    /// [`ModelError`] when a file is absent, damaged, or does not fit the other.
    pub fn load(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(CONFIG_FILE);
        let text = fs::read_to_string(&path).map_err(io_error(&path))?;
        let config: AutoencoderConfig = toml::from_str(&text).map_err(|e| damaged(&path, &e))?;
        let path = folder.join(WEIGHTS_FILE);
        let (tensors, _) = NamedTensors::read(&path)?;
        Self::from_tensors(config, tensors, &path)
    }

    /// Its numbers as safetensors, to be kept inside another file.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when they cannot be written in this form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.tensors().to_bytes(Path::new(IN_MEMORY), None)
    }

    /// From what [`Autoencoder::to_bytes`] gave.
    ///
    /// # Errors
    /// [`ModelError`] when the numbers are damaged, or do not fit the settings.
    pub fn from_bytes(config: AutoencoderConfig, bytes: &[u8]) -> Result<Self, ModelError> {
        let path = Path::new(IN_MEMORY);
        let (tensors, _) = NamedTensors::from_bytes(path, bytes)?;
        Self::from_tensors(config, tensors, path)
    }

    /// From [`Autoencoder::tensors`]; `path` stands for them in errors.
    fn from_tensors(
        config: AutoencoderConfig,
        mut tensors: NamedTensors,
        path: &Path,
    ) -> Result<Self, ModelError> {
        config.check().map_err(|error| damaged(path, &error))?;
        let weights = tensors.take(NETWORK);
        weights.check(&config.tensors(), path)?;
        let square = |name: String, tensor: NamedTensor, width: usize| {
            let found = format!("{:?}", tensor.shape);
            Array2::from_shape_vec((width, width), tensor.values).map_err(|_| {
                let expected = format!("[{width}, {width}]");
                ModelError::Mismatch { path: path.to_owned(), tensor: name, found, expected }
            })
        };
        let (windows, mut frames) = (tensors.take(WINDOWS), tensors.take(FRAMES));
        let precisions = windows.0.into_iter().map(|(index, tensor)| {
            let of_frames = frames
                .0
                .remove(&index)
                .map(|tensor| square(format!("{FRAMES}.{index}"), tensor, config.log_mel.mels));
            let windows = square(format!("{WINDOWS}.{index}"), tensor, config.inputs())?;
            Ok(Precisions { windows, frames: of_frames.transpose()? })
        });
        let precisions = precisions.collect::<Result<_, ModelError>>()?;
        Ok(Self::with_precisions(config, weights, precisions))
    }
}
