//! Spectrograms pooled over time: embeddings that need no training.

mod pooling;

use ndarray::Array2;
use offkey_signal::{FeatureError, FloorRule, LogMel, Stft};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::pooling::{First, Gwrp, Pooling, Rdp};
pub use crate::error::PooledError;

/// A spectrogram, and how its frames become one vector.
///
/// The default is the time mean of a log-mel spectrogram of 16 kHz sound.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PooledConfig {
    /// Which spectrogram.
    pub spectrogram: Spectrogram,
    /// What is kept of every band.
    pub pooling: Pooling,
}

/// Which spectrogram is pooled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spectrogram {
    /// Log-mel spectrogram.
    LogMel(LogMel),
    /// Linear magnitude spectrogram.
    Linear(Stft),
}

impl Default for Spectrogram {
    /// 1024 samples every 512 at 16 kHz, 128 bands, `10 log10(power + 1e-10)`, no padding.
    fn default() -> Self {
        Self::LogMel(LogMel { floor_rule: FloorRule::Add, ..LogMel::default() })
    }
}

impl PooledConfig {
    /// Embeddings of windows, `[windows, dims]`.
    ///
    /// # Errors
    /// [`PooledError`] when a setting lies outside its range or a window is shorter than a frame.
    pub fn embed(&self, windows: &[Vec<f32>]) -> Result<Array2<f32>, PooledError> {
        let mut arrays = embed_pooled(std::slice::from_ref(self), windows)?;
        Ok(arrays.remove(0))
    }

    /// Numbers in an embedding.
    pub fn dims(&self) -> usize {
        self.pooling.values() * self.spectrogram.bands()
    }

    /// Refuses settings outside their range; needs no data.
    ///
    /// # Errors
    /// [`PooledError::Setting`] or [`PooledError::Spectrogram`] naming the setting.
    pub fn check(&self) -> Result<(), PooledError> {
        self.spectrogram.check()?;
        self.pooling.check()
    }
}

impl Spectrogram {
    /// Frequency bands of a frame.
    pub fn bands(&self) -> usize {
        match self {
            Self::LogMel(log_mel) => log_mel.mels,
            Self::Linear(stft) => stft.bins(),
        }
    }

    fn frames(&self, samples: &[f32]) -> Result<Array2<f32>, FeatureError> {
        match self {
            Self::LogMel(log_mel) => log_mel.log_mel(samples),
            Self::Linear(stft) => stft.magnitude(samples),
        }
    }

    fn check(&self) -> Result<(), PooledError> {
        /// A transform of a minute at 16 kHz; more is a mistake that would fill the memory.
        const MOST_SAMPLES: usize = 1 << 20;
        const MOST_BANDS: usize = 1 << 16;
        let at_most = |setting, found: usize, most: usize, expected| {
            let found_number = found as f64;
            if found <= most {
                return Ok(());
            }
            Err(PooledError::Setting { setting, found: found_number, expected })
        };
        let (window, fft, bands) = match self {
            Self::LogMel(log_mel) => (log_mel.window, log_mel.fft, log_mel.mels),
            Self::Linear(stft) => (stft.window, stft.window, 1),
        };
        at_most("window", window, MOST_SAMPLES, "at most 1,048,576 samples")?;
        at_most("fft", fft, MOST_SAMPLES, "at most 1,048,576 samples")?;
        at_most("mels", bands, MOST_BANDS, "at most 65,536 bands")?;
        match self {
            Self::LogMel(log_mel) => log_mel.stream().map(drop),
            Self::Linear(stft) => stft.stream().map(drop),
        }
        .map_err(PooledError::Spectrogram)
    }
}

/// Embeddings of windows by several configurations, one `[windows, dims]` each. A spectrogram that
/// several of them pool is computed once per window.
///
/// # Errors
/// As [`PooledConfig::embed`].
pub fn embed_pooled(
    configs: &[PooledConfig],
    windows: &[Vec<f32>],
) -> Result<Vec<Array2<f32>>, PooledError> {
    configs.iter().try_for_each(PooledConfig::check)?;
    let of_window = |(window, samples): (usize, &Vec<f32>)| {
        pool_window(configs, samples).map_err(|source| PooledError::Feature { window, source })
    };
    let rows: Vec<Vec<Vec<f32>>> =
        windows.par_iter().enumerate().map(of_window).collect::<Result<_, _>>()?;
    let array = |(index, config): (usize, &PooledConfig)| {
        let flat: Vec<f32> = rows.iter().flat_map(|row| row[index].iter().copied()).collect();
        Array2::from_shape_vec((windows.len(), config.dims()), flat)
            .expect("every window has a value per band and kind")
    };
    Ok(configs.iter().enumerate().map(array).collect())
}

/// One window by each configuration; every spectrogram is made once.
fn pool_window(configs: &[PooledConfig], samples: &[f32]) -> Result<Vec<Vec<f32>>, FeatureError> {
    let mut made: Vec<(&Spectrogram, Array2<f32>)> = Vec::new();
    let mut embeddings = Vec::with_capacity(configs.len());
    for PooledConfig { spectrogram, pooling } in configs {
        let known = made.iter().position(|(other, _)| *other == spectrogram);
        let index = known.unwrap_or(made.len());
        if known.is_none() {
            let frames = spectrogram.frames(samples)?;
            // Bands as rows: poolings read one band after the other.
            made.push((spectrogram, frames.t().as_standard_layout().into_owned()));
        }
        embeddings.push(pooling.pool(made[index].1.view()));
    }
    Ok(embeddings)
}
