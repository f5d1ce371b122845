//! What an encoder is made of: a list of branches, each from one kind of feature to one part of
//! the embedding.

use serde::{Deserialize, Serialize};

/// Architecture of an encoder.
///
/// The default is the two-branch network of Wilkinghoff and Kurth, "Why do Angular Margin Losses
/// work well for Semi-Supervised Anomalous Sound Detection?", IEEE/ACM TASLP 32, 2024. It has a
/// spectrum branch and a spectrogram branch, 2,540,978 parameters for clips of 10 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderConfig {
    /// Sampling rate the encoder expects; 16,000 in every year of DCASE Task 2.
    pub rate_hz: u32,
    /// Length every clip is brought to before it enters, 10 s in DCASE 2020 to 2022.
    pub clip_s: f64,
    /// The branches; the embedding is their outputs one after the other.
    pub branches: Vec<BranchConfig>,
    /// Whether convolutions and dense layers have a bias. The paper's have none, because a bias
    /// lets a compactness loss be solved without looking at the input.
    pub bias: bool,
    /// Whether batch normalisation has a trained scale and shift, as in the paper. The shift is a
    /// bias too, so studies of collapse switch it off.
    pub batch_norm_affine: bool,
    /// Squeeze-and-excitation (ratio 16) on every residual branch and after every convolution
    /// over the spectrum, as in the author's later `FeatEx` system; off in the paper.
    pub squeeze_excitation: bool,
}

/// One branch of an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BranchConfig {
    /// One-dimensional convolutions over the magnitude spectrum of the whole clip.
    Spectrum(SpectrumConfig),
    /// A residual network over the magnitude spectrogram.
    Stft(StftConfig),
}

/// How a branch takes magnitudes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Magnitude {
    /// As they are, as in the paper.
    #[default]
    Linear,
    /// Natural logarithm of the magnitude, at least 1e-4: quiet bins count as much as
    /// loud ones.
    Log,
}

/// The spectrum branch; defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpectrumConfig {
    /// How magnitudes enter.
    pub magnitude: Magnitude,
    /// Channels of every convolution.
    pub filters: usize,
    /// Length of each convolution's kernel, in bins of its input.
    pub kernels: Vec<usize>,
    /// Step of each convolution, as many as kernels.
    pub strides: Vec<usize>,
    /// Dense layers with batch normalisation and `ReLU` before the last, linear one.
    pub dense_layers: usize,
    /// Width of the dense layers and length of this branch's part of the embedding.
    pub dims: usize,
}

/// The spectrogram branch; defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StftConfig {
    /// Length of the periodic Hann window, in samples.
    pub window: usize,
    /// Distance of neighbouring frames, in samples.
    pub hop: usize,
    /// How magnitudes enter.
    pub magnitude: Magnitude,
    /// Whether each bin's mean over time is subtracted, as in the paper: only what changes is left.
    pub subtract_mean: bool,
    /// Step of the first convolution (7x7), in frames and bins. It has the first stage's channels.
    pub stem_stride: usize,
    /// Channels of each residual stage. A stage has two blocks; all but the first halve the
    /// resolution.
    pub stage_channels: Vec<usize>,
    /// Length of this branch's part of the embedding.
    pub dims: usize,
}

/// Why an architecture cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No branch at all.
    #[error("the encoder has no branches, expected at least one")]
    NoBranches,
    /// A count that must not be zero, or that must match another.
    #[error("branch {branch}: `{field}` is {found}, expected {expected}")]
    Branch {
        /// Position in the list of branches.
        branch: usize,
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// Rate and length do not make a clip.
    #[error("`{field}` is {found}, expected a positive, finite number")]
    Clip {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
    },
    /// A size that no network has.
    #[error("`{field}` is {found}, expected {expected}")]
    Size {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// The clip is shorter than a layer needs.
    #[error("branch {branch}: clips of {clip_samples} samples are too short for `{layer}`")]
    TooShort {
        /// Position in the list of branches.
        branch: usize,
        /// Samples of a clip.
        clip_samples: usize,
        /// The first layer that has nothing left to work on.
        layer: &'static str,
    },
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            rate_hz: 16_000,
            clip_s: 10.0,
            branches: vec![
                BranchConfig::Spectrum(SpectrumConfig::default()),
                BranchConfig::Stft(StftConfig::default()),
            ],
            bias: false,
            batch_norm_affine: true,
            squeeze_excitation: false,
        }
    }
}

impl Default for SpectrumConfig {
    fn default() -> Self {
        Self {
            magnitude: Magnitude::Linear,
            filters: 128,
            kernels: vec![256, 64, 16],
            strides: vec![64, 32, 4],
            dense_layers: 4,
            dims: 128,
        }
    }
}

impl Default for StftConfig {
    fn default() -> Self {
        Self {
            window: 1024,
            hop: 512,
            magnitude: Magnitude::Linear,
            subtract_mean: true,
            stem_stride: 2,
            stage_channels: vec![16, 32, 64, 128],
            dims: 128,
        }
    }
}

impl EncoderConfig {
    /// Samples of a clip as the encoder expects it.
    pub fn clip_samples(&self) -> usize {
        (f64::from(self.rate_hz) * self.clip_s).round() as usize
    }

    /// Length of the embedding: the sum over the branches.
    pub fn dims(&self) -> usize {
        self.branches.iter().map(BranchConfig::dims).sum()
    }

    /// Checks that the encoder can be built and that its clips are long enough for every layer.
    ///
    /// # Errors
    /// [`ConfigError`] naming the branch and the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let clip_error = |field, found: String| Err(ConfigError::Clip { field, found });
        if self.rate_hz == 0 {
            return clip_error("rate_hz", self.rate_hz.to_string());
        }
        if !(self.clip_s.is_finite() && self.clip_s > 0.0) {
            return clip_error("clip_s", self.clip_s.to_string());
        }
        if self.rate_hz > HIGHEST_RATE_HZ || self.clip_s > LONGEST_CLIP_S {
            return Err(ConfigError::Size {
                field: "rate_hz and clip_s",
                found: format!("{} Hz and {} s", self.rate_hz, self.clip_s),
                expected: "at most 1,000,000 Hz and 3600 s",
            });
        }
        if self.branches.is_empty() {
            return Err(ConfigError::NoBranches);
        }
        if self.branches.len() > MOST_LAYERS {
            let (field, found) = ("branches", self.branches.len().to_string());
            return Err(ConfigError::Size { field, found, expected: "at most 64" });
        }
        for (index, branch) in self.branches.iter().enumerate() {
            branch.validate(index, self.clip_samples())?;
        }
        Ok(())
    }
}

impl BranchConfig {
    /// Length of this branch's part of the embedding.
    pub fn dims(&self) -> usize {
        match self {
            Self::Spectrum(config) => config.dims,
            Self::Stft(config) => config.dims,
        }
    }

    fn validate(&self, branch: usize, clip_samples: usize) -> Result<(), ConfigError> {
        match self {
            Self::Spectrum(config) => config.validate(branch, clip_samples),
            Self::Stft(config) => config.validate(branch, clip_samples),
        }
    }
}

impl SpectrumConfig {
    fn validate(&self, branch: usize, clip_samples: usize) -> Result<(), ConfigError> {
        positive(branch, "filters", &[self.filters])?;
        positive(branch, "kernels", &self.kernels)?;
        positive(branch, "strides", &self.strides)?;
        positive(branch, "dims", &[self.dims])?;
        small("filters", &[self.filters])?;
        small("kernels", &self.kernels)?;
        small("strides", &self.strides)?;
        small("dims", &[self.dims])?;
        if self.dense_layers > MOST_LAYERS {
            let (field, found) = ("dense_layers", self.dense_layers.to_string());
            return Err(ConfigError::Size { field, found, expected: "at most 64" });
        }
        if self.strides.len() != self.kernels.len() {
            return Err(ConfigError::Branch {
                branch,
                field: "strides",
                found: format!("{:?}", self.strides),
                expected: "as many as `kernels`",
            });
        }
        if clip_samples < 2 {
            return Err(ConfigError::TooShort { branch, clip_samples, layer: "spectrum" });
        }
        Ok(())
    }
}

impl StftConfig {
    fn validate(&self, branch: usize, clip_samples: usize) -> Result<(), ConfigError> {
        positive(branch, "window", &[self.window])?;
        positive(branch, "hop", &[self.hop])?;
        positive(branch, "stem_stride", &[self.stem_stride])?;
        positive(branch, "stage_channels", &self.stage_channels)?;
        positive(branch, "dims", &[self.dims])?;
        small("stem_stride", &[self.stem_stride])?;
        small("stage_channels", &self.stage_channels)?;
        small("dims", &[self.dims])?;
        if !self.window.is_multiple_of(2) {
            return Err(ConfigError::Branch {
                branch,
                field: "window",
                found: self.window.to_string(),
                expected: "an even number of samples",
            });
        }
        if clip_samples < self.window {
            return Err(ConfigError::TooShort { branch, clip_samples, layer: "window" });
        }
        let frames = (clip_samples - self.window) / self.hop + 1;
        let bins = self.window / 2 + 1;
        if frames.min(bins).div_ceil(self.stem_stride) < 3 {
            return Err(ConfigError::TooShort { branch, clip_samples, layer: "max pooling" });
        }
        Ok(())
    }
}

/// Rate and length above which nothing is a clip.
const HIGHEST_RATE_HZ: u32 = 1_000_000;
const LONGEST_CLIP_S: f64 = 3600.0;
/// Most layers of one kind.
const MOST_LAYERS: usize = 64;
/// Largest number of channels, or length of a kernel.
const LARGEST: usize = 65_536;

/// Refuses sizes that no network has, before anything is reserved for them.
fn small(field: &'static str, values: &[usize]) -> Result<(), ConfigError> {
    if values.len() <= MOST_LAYERS && values.iter().all(|&value| value <= LARGEST) {
        return Ok(());
    }
    let mut found = format!("{:?}", &values[..values.len().min(MOST_LAYERS)]);
    if values.len() > MOST_LAYERS {
        found += &format!(" and {} more", values.len() - MOST_LAYERS);
    }
    let expected = "at most 64 numbers, each at most 65,536";
    Err(ConfigError::Size { field, found, expected })
}

fn positive(branch: usize, field: &'static str, values: &[usize]) -> Result<(), ConfigError> {
    if !values.is_empty() && values.iter().all(|&value| value > 0) {
        return Ok(());
    }
    Err(ConfigError::Branch {
        branch,
        field,
        found: format!("{values:?}"),
        expected: "at least one number, all positive",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUGE: usize = 1_000_000_000_000;

    #[test]
    fn sizes_that_no_network_has_are_refused() {
        let spectrum = |change: fn(&mut SpectrumConfig)| {
            let mut config = SpectrumConfig::default();
            change(&mut config);
            BranchConfig::Spectrum(config)
        };
        let stft = |change: fn(&mut StftConfig)| {
            let mut config = StftConfig::default();
            change(&mut config);
            BranchConfig::Stft(config)
        };
        let branches = [
            spectrum(|c| c.filters = HUGE),
            spectrum(|c| c.dims = HUGE),
            spectrum(|c| c.dense_layers = HUGE),
            spectrum(|c| c.kernels = vec![HUGE, 1, 1]),
            spectrum(|c| (c.kernels, c.strides) = (vec![1; 1000], vec![1; 1000])),
            stft(|c| c.stage_channels = vec![HUGE]),
            stft(|c| c.dims = HUGE),
        ];
        for branch in branches {
            let config = EncoderConfig { branches: vec![branch], ..EncoderConfig::default() };
            assert!(matches!(config.validate(), Err(ConfigError::Size { .. })), "{config:?}");
        }
        for (rate_hz, clip_s) in [(u32::MAX, 1.0), (16_000, 1e18)] {
            let config = EncoderConfig { rate_hz, clip_s, ..EncoderConfig::default() };
            assert!(matches!(config.validate(), Err(ConfigError::Size { .. })), "{config:?}");
        }
        assert!(EncoderConfig::default().validate().is_ok());
    }
}
