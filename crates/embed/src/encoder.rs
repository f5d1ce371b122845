//! A trained encoder: waveforms in, embeddings out.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};

use crate::{Compute, EncoderConfig};

/// A trained encoder, ready to embed clips.
///
/// An embedding does not depend on the clips it was computed with, and the encoder can be shared
/// between threads.
#[derive(Debug)]
pub struct Encoder {
    config: EncoderConfig,
}

/// Features of one clip, one entry a branch.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipFeatures {
    /// In the order of the encoder's branches.
    pub branches: Vec<BranchFeatures>,
}

/// What one branch looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum BranchFeatures {
    /// Magnitude spectrum of the whole clip, `[bins]`.
    Spectrum(Array1<f32>),
    /// Magnitude spectrogram, `[frames, bins]`, before the temporal mean is subtracted.
    Stft(Array2<f32>),
}

/// Why a model folder cannot be used, or a clip not be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of the model does not have the expected form.
    #[error("`{}` is damaged or no model file: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The weights do not fit the architecture.
    #[error("`{}` does not fit the architecture: `{tensor}` is {found}, expected {expected}", path.display())]
    Mismatch {
        /// The weights.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its shape, or `absent`.
        found: String,
        /// The shape the architecture asks for.
        expected: String,
    },
    /// The architecture cannot be built.
    #[error("cannot build the encoder")]
    Config(#[from] crate::ConfigError),
    /// A clip or its features do not have the encoder's shape.
    #[error("clip {clip} has {what} {found}, expected {expected}")]
    Shape {
        /// Position of the clip in the call.
        clip: usize,
        /// What was measured.
        what: &'static str,
        /// Its size.
        found: String,
        /// The size the encoder expects.
        expected: String,
    },
    /// The device is not there.
    #[error("device `{device}` cannot be used: {problem}")]
    Device {
        /// The device asked for.
        device: crate::DeviceKind,
        /// Why not.
        problem: String,
    },
}

impl Encoder {
    /// Loads the model that [`crate::train()`] wrote.
    ///
    /// # Errors
    /// [`ModelError`] when a file is absent, damaged, or does not fit the others.
    pub fn load(folder: &Path, compute: Compute) -> Result<Self, ModelError> {
        let _ = compute;
        Err(ModelError::Damaged { path: folder.to_owned(), problem: "no reader".to_owned() })
    }

    /// The architecture.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Embeddings of length one, `[clips, dims]`, of mono waveforms of exactly
    /// [`EncoderConfig::clip_samples`] samples.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when a waveform has another length.
    pub fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        self.embed_raw(waves).map(normalised)
    }

    /// As [`Encoder::embed`], but with the length the network gave them.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when a waveform has another length.
    pub fn embed_raw(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        let features: Result<Vec<_>, _> = waves.iter().map(|wave| self.features(wave)).collect();
        self.embed_features(&features?)
    }

    /// The features of one clip, to be changed and given to [`Encoder::embed_features`].
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the waveform has another length.
    pub fn features(&self, wave: &[f32]) -> Result<ClipFeatures, ModelError> {
        let _ = wave;
        Ok(ClipFeatures { branches: Vec::new() })
    }

    /// Embeddings from features, `[clips, dims]`, not normalised.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when features do not have the encoder's shapes.
    pub fn embed_features(&self, clips: &[ClipFeatures]) -> Result<Array2<f32>, ModelError> {
        Ok(Array2::zeros((clips.len(), self.config.dims())))
    }
}

/// Rows scaled to length one; a row of zeros stays.
pub fn normalised(mut embeddings: Array2<f32>) -> Array2<f32> {
    for mut row in embeddings.rows_mut() {
        let length = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|x| (f64::from(x) / length) as f32);
        }
    }
    embeddings
}
