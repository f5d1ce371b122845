//! The challenge's official baseline: an autoencoder of log-mel windows, trained on one machine's
//! normal clips, that reconstructs anomalies worse.
//!
//! Source: Harada et al., "First-shot anomaly detection for machine condition monitoring: A domain
//! generalization baseline", EUSIPCO 2023.

mod network;
mod residuals;
mod training;

use std::{fs, ops::ControlFlow, path::Path};

use burn::{module::Module, tensor::Device};
use ndarray::Array2;
use offkey_core::Seed;
use offkey_signal::{FeatureError, LogMel};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    ClipSource, Compute, ModelError, SourceError,
    compute::device,
    network::Pass,
    weights::{
        NamedTensor, NamedTensors, collect, damaged, io_error, restore, to_tensor, values_of,
        write_atomically,
    },
};
use network::AutoencoderNetwork;
use residuals::{ErrorSums, mean_distance};

const CONFIG_FILE: &str = "autoencoder.toml";
const WEIGHTS_FILE: &str = "autoencoder.safetensors";

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

/// What an autoencoder is trained from.
pub struct AutoencoderJob<'a> {
    /// The normal clips of one machine.
    pub source: &'a dyn ClipSource,
    /// Whether each clip is of the target domain.
    pub is_target: &'a [bool],
    /// Architecture and training.
    pub config: &'a AutoencoderConfig,
    /// Seed of every random choice.
    pub seed: Seed,
    /// Where to compute.
    pub compute: Compute,
}

/// A trained autoencoder.
#[derive(Debug)]
pub struct Autoencoder {
    config: AutoencoderConfig,
    network: AutoencoderNetwork,
    device: Device,
    /// Inverse covariance of the errors on source and on target clips, where there were some.
    precisions: Vec<Array2<f32>>,
}

/// How badly a clip is reconstructed. Larger is more anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AutoencoderScore {
    /// Mean squared error.
    pub squared_error: f64,
    /// The smaller of the mean squared Mahalanobis distances under the errors of source and of
    /// target training clips: the baseline's "selective" score.
    pub mahalanobis: f64,
}

/// Why an autoencoder cannot be trained or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AutoencoderError {
    /// There is too little to train on.
    #[error("{found} windows of sound are too few to train an autoencoder, expected at least 2")]
    TooFewWindows {
        /// Windows of all clips.
        found: usize,
    },
    /// Domains and clips disagree.
    #[error("{found} domains for {clips} clips")]
    Domains {
        /// Domains given.
        found: usize,
        /// Clips of the source.
        clips: usize,
    },
    /// A setting is out of range.
    #[error("`{field}` is 0, expected at least 1")]
    Setting {
        /// The setting.
        field: &'static str,
    },
    /// A clip could not be read.
    #[error("cannot read clip {clip}")]
    Source {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: SourceError,
    },
    /// A clip has no spectrogram.
    #[error("cannot make the spectrogram of clip {clip}")]
    Feature {
        /// Position of the clip.
        clip: usize,
        /// The cause.
        source: FeatureError,
    },
    /// A clip is shorter than one window.
    #[error("clip {clip} has {found} frames, expected at least {expected}")]
    TooShort {
        /// Position of the clip.
        clip: usize,
        /// Its frames.
        found: usize,
        /// Frames of one window.
        expected: usize,
    },
    /// The reconstruction error is not a number any more.
    #[error("the reconstruction error of epoch {epoch} is {error}: training has diverged")]
    Diverged {
        /// The epoch, from 0.
        epoch: usize,
        /// The mean squared error.
        error: f64,
    },
    /// Training was asked to stop.
    #[error("training was stopped after epoch {epoch}")]
    Stopped {
        /// The last completed epoch, from 0.
        epoch: usize,
    },
    /// A model file or the device cannot be used.
    #[error("cannot use the model")]
    Model(#[from] ModelError),
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
    fn inputs(&self) -> usize {
        self.frames * self.log_mel.mels
    }

    /// Widths of the layers between input and output.
    fn hidden_widths(&self) -> Vec<usize> {
        let side = vec![self.hidden; self.hidden_layers];
        [side.clone(), vec![self.waist], side].concat()
    }

    fn check(&self) -> Result<(), AutoencoderError> {
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

    /// The frames of one clip, row-major.
    fn spectrogram(&self, clip: usize, wave: &[f32]) -> Result<Vec<f32>, AutoencoderError> {
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
    /// Trained numbers.
    pub fn parameters(&self) -> usize {
        self.network.num_params()
    }

    /// Trains on one machine's normal clips. `progress` is told every epoch and its mean squared
    /// error, and can stop the training.
    ///
    /// # Errors
    /// [`AutoencoderError`] when a clip cannot be used, training diverges or is stopped.
    pub fn fit(
        job: &AutoencoderJob<'_>,
        progress: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
    ) -> Result<Self, AutoencoderError> {
        job.config.check()?;
        if job.is_target.len() != job.source.len() {
            let (found, clips) = (job.is_target.len(), job.source.len());
            return Err(AutoencoderError::Domains { found, clips });
        }
        let spectrograms = spectrograms(job)?;
        let device = device(job.compute)?;
        let network = training::train(job, &spectrograms, &device, progress)?.valid();
        let mut fitted =
            Self { config: job.config.clone(), network, device, precisions: Vec::new() };
        for domain in [false, true] {
            let mut sums = ErrorSums::new(job.config.inputs());
            for (frames, _) in spectrograms.iter().zip(job.is_target).filter(|(_, d)| **d == domain)
            {
                sums.add(fitted.errors(frames).view());
            }
            fitted.precisions.extend(sums.precision());
        }
        Ok(fitted)
    }

    /// Scores of clips, in order.
    ///
    /// # Errors
    /// [`AutoencoderError::Feature`] or [`AutoencoderError::TooShort`] when a clip has no window.
    pub fn score(&self, waves: &[Vec<f32>]) -> Result<Vec<AutoencoderScore>, AutoencoderError> {
        let of_clip = |(clip, wave): (usize, &Vec<f32>)| {
            let errors = self.errors(&self.config.spectrogram(clip, wave)?);
            let squares = errors.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            let distances = self.precisions.iter().map(|p| mean_distance(&errors, p));
            Ok(AutoencoderScore {
                squared_error: squares / errors.len() as f64,
                mahalanobis: distances.fold(f64::INFINITY, f64::min),
            })
        };
        waves.iter().enumerate().map(of_clip).collect()
    }

    /// Differences between windows and their reconstructions, `[windows, inputs]`.
    fn errors(&self, frames: &[f32]) -> Array2<f32> {
        let windows = self.config.windows(frames);
        let input = to_tensor(&windows, &self.device);
        let output = values_of(self.network.forward(input, &mut Pass::Evaluate));
        let output = Array2::from_shape_vec(windows.dim(), output).expect("as many as came in");
        windows - output
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
        let mut tensors = NamedTensors::default();
        tensors.extend("network", collect(&self.network));
        for (index, precision) in self.precisions.iter().enumerate() {
            let values = precision.iter().copied().collect();
            let tensor = NamedTensor { shape: precision.shape().to_vec(), values };
            tensors.0.insert(format!("precision.{index}"), tensor);
        }
        tensors.write(&folder.join(WEIGHTS_FILE), None)
    }

    /// Reads what [`Autoencoder::save`] wrote.
    ///
    /// # Errors
    /// [`ModelError`] when a file is absent, damaged, or does not fit the other.
    pub fn load(folder: &Path, compute: Compute) -> Result<Self, ModelError> {
        let path = folder.join(CONFIG_FILE);
        let text = fs::read_to_string(&path).map_err(io_error(&path))?;
        let config: AutoencoderConfig = toml::from_str(&text).map_err(|e| damaged(&path, &e))?;
        config.check().map_err(|error| damaged(&path, &error))?;
        let device = device(compute)?;
        let path = folder.join(WEIGHTS_FILE);
        let (mut tensors, _) = NamedTensors::read(&path)?;
        let network = AutoencoderNetwork::new(&config, Seed::new(0), &device);
        let network = restore(network, tensors.take("network"), &path)?.valid();
        let inputs = config.inputs();
        let precisions = tensors.take("precision").0.into_iter().map(|(name, tensor)| {
            let found = format!("{:?}", tensor.shape);
            Array2::from_shape_vec((inputs, inputs), tensor.values).map_err(|_| {
                let expected = format!("[{inputs}, {inputs}]");
                ModelError::Mismatch { path: path.clone(), tensor: name, found, expected }
            })
        });
        let precisions = precisions.collect::<Result<_, _>>()?;
        Ok(Self { config, network, device, precisions })
    }
}

fn spectrograms(job: &AutoencoderJob<'_>) -> Result<Vec<Vec<f32>>, AutoencoderError> {
    let seed = job.seed.child("clip");
    let of_clip = |clip: usize| {
        let wave = job
            .source
            .wave(clip, seed.child(clip))
            .map_err(|source| AutoencoderError::Source { clip, source })?;
        job.config.spectrogram(clip, &wave)
    };
    let made: Vec<_> = (0..job.source.len()).into_par_iter().map(of_clip).collect();
    made.into_iter().collect()
}
