//! Encoders that were trained elsewhere, as ONNX files: what they take is stated, and what they give is
//! pooled over time as spectra are.
//!
//! ONNX Runtime runs them, where the cargo feature `onnx` is there and its library is found.

mod error;
mod front;
#[cfg(not(feature = "onnx"))]
mod no_runtime;
#[cfg(feature = "onnx")]
mod runtime;
mod tensor;

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use ndarray::{Array2, ArrayView2};
use offkey_core::Digest;
use offkey_signal::resample;
use serde::{Deserialize, Serialize};

#[cfg(not(feature = "onnx"))]
pub use self::no_runtime::Session;
#[cfg(feature = "onnx")]
pub use self::runtime::Session;
pub use self::{
    error::ForeignError,
    front::{Blocks, FrontEnd, Layout, Level},
    tensor::Tensor,
};
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
    /// Sampling rate of the recordings, where it is lower: they are then resampled for the encoder alone, and pooled
    /// spectra beside it are of this rate. As `rate_hz` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_hz: Option<u32>,
    /// Which level a clip is brought to first.
    #[serde(default, skip_serializing_if = "Level::is_default")]
    pub level: Level,
    /// What the encoder takes.
    #[serde(default)]
    pub front: FrontEnd,
    /// What is taken off every number of that (0), as the mean of the encoder's training data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub subtract: f64,
    /// What the rest is divided by (1), as the deviation of the encoder's training data.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub divide: f64,
    /// Pieces that the encoder takes one by one; the whole clip where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
    /// Order of the dimensions.
    #[serde(default, skip_serializing_if = "Layout::is_default")]
    pub layout: Layout,
    /// Name of the output that has the embedding; the first where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// How several rows of a clip become one vector. An encoder that gives one row needs none.
    #[serde(default)]
    pub pooling: Pooling,
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(number: &f64) -> bool {
    number.to_bits() == one().to_bits()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
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
        self.shape(self.clip_hz.unwrap_or(self.rate_hz))
    }

    /// Refuses recordings of a lower rate than clips are read at: nobody would know that the upper part of what the
    /// encoder listens to is empty.
    ///
    /// # Errors
    /// [`ForeignError::Rate`].
    pub fn check_recorded(&self, recorded_hz: u32) -> Result<(), ForeignError> {
        let rate_hz = self.clip().rate_hz;
        if recorded_hz >= rate_hz {
            return Ok(());
        }
        Err(ForeignError::Rate { path: self.file.clone(), rate_hz, recorded_hz })
    }

    fn shape(&self, rate_hz: u32) -> ClipShape {
        let samples = (f64::from(rate_hz) * self.clip_s).round() as usize;
        ClipShape { rate_hz, samples }
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
        loaded.check_front()?;
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

    /// Refuses what is stated of the clip where it contradicts itself.
    fn check_front(&self) -> Result<(), ForeignError> {
        let ForeignConfig { front, layout, rate_hz, .. } = &self.config;
        if !layout.suits(front) {
            let found = "a `layout` of spectrograms and a `front` of sound".to_owned();
            return Err(self.unfit(found, "`plain` or `channel`".to_owned()));
        }
        match front {
            FrontEnd::LogMel(log_mel) if log_mel.rate_hz != *rate_hz => {
                let found = format!("spectrograms of {} Hz", log_mel.rate_hz);
                Err(self.unfit(found, format!("{rate_hz} Hz, as its `rate_hz` says")))
            }
            FrontEnd::Waveform | FrontEnd::LogMel(_) => Ok(()),
        }
    }

    fn embed_one(&self, wave: &[f32]) -> Result<Vec<f32>, ForeignError> {
        let ForeignConfig { front, level, subtract, divide, blocks, layout, pooling, .. } =
            &self.config;
        let wave = self.at_its_rate(wave)?;
        let mut frames = front.frames(&wave, *level).map_err(ForeignError::Feature)?;
        if !is_zero(subtract) || !is_one(divide) {
            frames.mapv_inplace(|value| ((f64::from(value) - subtract) / divide) as f32);
        }
        let mut rows = Vec::new();
        for block in front::cut(*blocks, &frames) {
            rows.extend(self.rows_of(layout.tensor(block, front))?);
        }
        let embedding = match rows.first() {
            Some(first) if rows.len() == 1 => first.clone(),
            Some(first) => {
                let bands = Array2::from_shape_fn((first.len(), rows.len()), |(number, row)| {
                    rows[row].get(number).copied().unwrap_or(f32::NAN)
                });
                pooling.pool(bands.view())
            }
            None => {
                let unit = front.unit();
                let found = format!("a clip of {} {unit}", frames.nrows());
                let size = blocks.map_or(1, |blocks| blocks.size);
                return Err(self.unfit(found, format!("a block of {size} {unit} at least")));
            }
        };
        if embedding.iter().all(|value| value.is_finite()) {
            return Ok(embedding);
        }
        Err(self.unfit("numbers that are not finite".to_owned(), "finite ones".to_owned()))
    }

    /// A clip at the encoder's rate, and exactly as long as that asks for.
    fn at_its_rate<'a>(&self, wave: &'a [f32]) -> Result<Cow<'a, [f32]>, ForeignError> {
        let (from_hz, to) = (self.config.clip().rate_hz, self.config.shape(self.config.rate_hz));
        if from_hz == to.rate_hz {
            return Ok(Cow::Borrowed(wave));
        }
        let mut wave = resample(wave, from_hz, to.rate_hz).map_err(ForeignError::Resample)?;
        wave.resize(to.samples, 0.0);
        Ok(Cow::Owned(wave))
    }

    /// The rows that the encoder gives for one block.
    fn rows_of(
        &self,
        (shape, values): (Vec<usize>, Vec<f32>),
    ) -> Result<Vec<Vec<f32>>, ForeignError> {
        let inputs = self.session.inputs();
        let [input] = inputs else {
            return Err(self.unfit(format!("{} inputs", inputs.len()), "one".to_owned()));
        };
        let input = Tensor { name: input.clone(), shape, values };
        let given = self.session.run(std::slice::from_ref(&input))?;
        let names: Vec<String> = given.iter().map(|tensor| tensor.name.clone()).collect();
        let is_meant = |tensor: &Tensor| {
            self.config.output.as_ref().is_none_or(|output| *output == tensor.name)
        };
        let Some(given) = given.into_iter().find(is_meant) else {
            let expected = self.config.output.clone().unwrap_or_else(|| "one".to_owned());
            return Err(self.unfit(format!("the outputs {names:?}"), expected));
        };
        let (rows, dims) = match given.shape[..] {
            [1, dims] => (1, dims),
            [1, rows, dims] if rows > 0 => (rows, dims),
            _ => {
                let found = format!("an output of shape {:?} for one clip", given.shape);
                return Err(self.unfit(found, "[1, dims] or [1, rows, dims]".to_owned()));
            }
        };
        let rows = ArrayView2::from_shape((rows, dims), &given.values)
            .expect("a tensor has as many numbers as its shape says");
        Ok(rows.rows().into_iter().map(|row| row.to_vec()).collect())
    }

    fn unfit(&self, found: String, expected: String) -> ForeignError {
        ForeignError::Unfit { path: self.config.file.clone(), found, expected }
    }
}
