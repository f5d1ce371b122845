//! Encoders that were trained elsewhere, as ONNX files: what they take is stated, and what they give is
//! pooled over time as spectra are.
//!
//! ONNX Runtime runs them, where the cargo feature `onnx` is there and its library is found.

mod error;
#[cfg(not(feature = "onnx"))]
mod no_runtime;
#[cfg(feature = "onnx")]
mod runtime;
mod tensor;

use std::{
    fs,
    path::{Path, PathBuf},
};

use ndarray::{Array2, ArrayView2};
use offkey_core::Digest;
use offkey_signal::LogMel;
use serde::{Deserialize, Serialize};

#[cfg(not(feature = "onnx"))]
pub use self::no_runtime::Session;
#[cfg(feature = "onnx")]
pub use self::runtime::Session;
pub use self::{error::ForeignError, tensor::Tensor};
use crate::{ClipShape, pooled::Pooling};

/// An encoder in an ONNX file, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignConfig {
    /// The ONNX file.
    pub file: PathBuf,
    /// SHA-256 of the file in hexadecimal. A file with another content is refused.
    pub sha256: String,
    /// Sampling rate that the encoder was trained with.
    pub rate_hz: u32,
    /// Length clips are brought to, in seconds.
    pub clip_s: f64,
    /// What the encoder takes.
    #[serde(default)]
    pub front: FrontEnd,
    /// How several rows of a clip become one vector. An encoder that gives one row needs none.
    #[serde(default)]
    pub pooling: Pooling,
}

/// What an encoder takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrontEnd {
    /// Mono sound, `[batch, samples]`.
    #[default]
    Waveform,
    /// Log-mel spectrograms, `[batch, frames, mels]`.
    LogMel(LogMel),
}

/// A loaded encoder.
#[derive(Debug)]
pub struct Foreign {
    config: ForeignConfig,
    /// The file's content, to be kept inside other files.
    bytes: Vec<u8>,
    session: Session,
    dims: usize,
}

impl ForeignConfig {
    /// Rate and length of the clips.
    pub fn clip(&self) -> ClipShape {
        let samples = (f64::from(self.rate_hz) * self.clip_s).round() as usize;
        ClipShape { rate_hz: self.rate_hz, samples }
    }

    /// The digest that a recipe has to state for a file.
    ///
    /// # Errors
    /// [`ForeignError::Io`] when it cannot be read.
    pub fn digest(file: &Path) -> Result<String, ForeignError> {
        let digest = Digest::of_file(file)
            .map_err(|source| ForeignError::Io { path: file.to_owned(), source })?;
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Foreign {
    /// Loads the file and embeds one clip, so that an encoder that does not fit is refused at once.
    ///
    /// # Errors
    /// [`ForeignError`] when the file is absent or another one, or does not take what the configuration
    /// says, or this offkey cannot run ONNX files.
    pub fn load(config: ForeignConfig) -> Result<Self, ForeignError> {
        let path = &config.file;
        let bytes =
            fs::read(path).map_err(|source| ForeignError::Io { path: path.clone(), source })?;
        Self::from_bytes(config, bytes)
    }

    /// As [`Foreign::load`], from the file's content.
    ///
    /// # Errors
    /// As [`Foreign::load`].
    pub fn from_bytes(config: ForeignConfig, bytes: Vec<u8>) -> Result<Self, ForeignError> {
        let path = &config.file;
        let mut digest = Digest::new();
        digest.add(&bytes);
        let found = digest.hex();
        if !found.eq_ignore_ascii_case(&config.sha256) {
            let (path, expected) = (path.clone(), config.sha256.clone());
            return Err(ForeignError::Changed { path, found, expected });
        }
        let session = Session::load(&bytes)?;
        let mut loaded = Self { config, bytes, session, dims: 0 };
        // Not silence, whose logarithms and norms need not be finite.
        let probe: Vec<f32> = (0..loaded.config.clip().samples)
            .map(|index| if index % 7 < 3 { 0.01 } else { -0.01 })
            .collect();
        loaded.dims = loaded.embed_one(&probe)?.len();
        Ok(loaded)
    }

    /// What was loaded.
    pub fn config(&self) -> &ForeignConfig {
        &self.config
    }

    /// The content of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of an embedding.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Embeddings, `[clips, dims]`; each clip is computed alone, so that it does not depend on the others.
    ///
    /// # Errors
    /// [`ForeignError`] when a clip has no spectrogram, or the runtime fails.
    pub fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ForeignError> {
        let mut rows = Array2::zeros((waves.len(), self.dims));
        for (wave, mut row) in waves.iter().zip(rows.rows_mut()) {
            let embedding = self.embed_one(wave)?;
            if embedding.len() != self.dims {
                let found = format!("{} numbers for one clip", embedding.len());
                return Err(self.unfit(found, format!("{} as for others", self.dims)));
            }
            row.iter_mut().zip(embedding).for_each(|(out, value)| *out = value);
        }
        Ok(rows)
    }

    fn embed_one(&self, wave: &[f32]) -> Result<Vec<f32>, ForeignError> {
        let (shape, values) = match &self.config.front {
            FrontEnd::Waveform => (vec![1, wave.len()], wave.to_vec()),
            FrontEnd::LogMel(log_mel) => {
                let frames = log_mel.log_mel(wave).map_err(ForeignError::Feature)?;
                (vec![1, frames.nrows(), frames.ncols()], frames.into_raw_vec_and_offset().0)
            }
        };
        let inputs = self.session.inputs();
        let [input] = inputs else {
            return Err(self.unfit(format!("{} inputs", inputs.len()), "one".to_owned()));
        };
        let input = Tensor { name: input.clone(), shape, values };
        let given = self.session.run(std::slice::from_ref(&input))?;
        let Some(first) = given.into_iter().next() else {
            return Err(self.unfit("no output".to_owned(), "one".to_owned()));
        };
        let embedding = match first.shape[..] {
            [1, _] => first.values,
            [1, rows, dims] if rows > 0 => {
                let rows = ArrayView2::from_shape((rows, dims), &first.values)
                    .expect("a tensor has as many numbers as its shape says");
                let bands = rows.t().as_standard_layout().into_owned();
                self.config.pooling.pool(bands.view())
            }
            _ => {
                let found = format!("an output of shape {:?} for one clip", first.shape);
                return Err(self.unfit(found, "[1, dims] or [1, rows, dims]".to_owned()));
            }
        };
        if embedding.iter().all(|value| value.is_finite()) {
            return Ok(embedding);
        }
        Err(self.unfit("numbers that are not finite".to_owned(), "finite ones".to_owned()))
    }

    fn unfit(&self, found: String, expected: String) -> ForeignError {
        ForeignError::Unfit { path: self.config.file.clone(), found, expected }
    }
}
