//! Waveforms to the numbers each branch looks at, one clip or a batch at a time.

use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayViewMut2};
use offkey_signal::{Stft, spectrum_into, subtract_temporal_mean};
use rayon::prelude::*;

use crate::{BranchConfig, EncoderConfig, Magnitude};

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
    /// Magnitude spectrogram, `[frames, bins]`, before logarithm and subtraction of the mean.
    Stft(Array2<f32>),
}

impl BranchFeatures {
    /// All values, row-major.
    pub(crate) fn values(&self) -> Cow<'_, [f32]> {
        match self {
            Self::Spectrum(bins) => match bins.as_slice() {
                Some(values) => Cow::Borrowed(values),
                None => bins.iter().copied().collect(),
            },
            Self::Stft(frames) => match frames.as_slice() {
                Some(values) => Cow::Borrowed(values),
                None => frames.iter().copied().collect(),
            },
        }
    }

    /// Rows and columns; a spectrum has one row.
    pub(crate) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Spectrum(bins) => (1, bins.len()),
            Self::Stft(frames) => frames.dim(),
        }
    }
}

/// Features of a batch as the network takes them: row-major `[clips, ..]`, one entry a branch,
/// conditioned as each branch asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchFeatures {
    /// Clips of the batch.
    pub clips: usize,
    /// In the order of the encoder's branches.
    pub branches: Vec<Vec<f32>>,
}

/// Magnitude below which the logarithm does not tell bins apart: digital silence has one.
pub const QUIETEST: f32 = 1e-4;

/// Rows and columns of one branch's features; a spectrum has one row.
pub fn shape(branch: &BranchConfig, clip_samples: usize) -> (usize, usize) {
    match branch {
        BranchConfig::Spectrum(_) => (1, clip_samples / 2),
        BranchConfig::Stft(config) => {
            let stft = Stft { window: config.window, hop: config.hop };
            (stft.frames(clip_samples), stft.bins())
        }
    }
}

/// Features of one clip of `config.clip_samples()` samples.
pub(crate) fn of_clip(config: &EncoderConfig, wave: &[f32]) -> ClipFeatures {
    let branches = config.branches.iter().map(|branch| {
        let (rows, columns) = shape(branch, wave.len());
        let mut values = vec![0.0; rows * columns];
        magnitudes(branch, wave, &mut values);
        match branch {
            BranchConfig::Spectrum(_) => BranchFeatures::Spectrum(Array1::from_vec(values)),
            BranchConfig::Stft(_) => BranchFeatures::Stft(
                Array2::from_shape_vec((rows, columns), values).expect("rows x columns values"),
            ),
        }
    });
    ClipFeatures { branches: branches.collect() }
}

/// Features of a batch of clips of `config.clip_samples()` samples each.
pub fn of_batch(config: &EncoderConfig, waves: &[Vec<f32>]) -> BatchFeatures {
    let branches = config.branches.iter().map(|branch| {
        let (rows, columns) = shape(branch, config.clip_samples());
        let mut values = vec![0.0; waves.len() * rows * columns];
        values.par_chunks_exact_mut(rows * columns).zip(waves).for_each(|(out, wave)| {
            magnitudes(branch, wave, out);
            condition(branch, out, (rows, columns));
        });
        values
    });
    BatchFeatures { clips: waves.len(), branches: branches.collect() }
}

/// Mean over the frames of one clip's spectrogram `[frames, bins]`, one value per bin.
pub fn means_over_time(clip: &[f32], bins: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; bins];
    for frame in clip.chunks_exact(bins) {
        sums.iter_mut().zip(frame).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let frames = (clip.len() / bins.max(1)).max(1) as f64;
    sums.into_iter().map(|sum| (sum / frames) as f32).collect()
}

/// Gathers the features of single clips, whose shapes have been checked.
pub(crate) fn gather(config: &EncoderConfig, clips: &[ClipFeatures]) -> BatchFeatures {
    let branches = config.branches.iter().enumerate().map(|(index, branch)| {
        let shape = shape(branch, config.clip_samples());
        let mut values = Vec::with_capacity(clips.len() * shape.0 * shape.1);
        for clip in clips {
            let start = values.len();
            values.extend_from_slice(&clip.branches[index].values());
            condition(branch, &mut values[start..], shape);
        }
        values
    });
    BatchFeatures { clips: clips.len(), branches: branches.collect() }
}

fn magnitudes(branch: &BranchConfig, wave: &[f32], out: &mut [f32]) {
    let done = match branch {
        BranchConfig::Spectrum(_) => spectrum_into(wave, out),
        BranchConfig::Stft(config) => {
            Stft { window: config.window, hop: config.hop }.magnitude_into(wave, out)
        }
    };
    done.expect("the configuration is valid and the buffer has the features' shape");
}

/// Brings magnitudes to the form in which the branch's layers take them.
pub(crate) fn condition(branch: &BranchConfig, values: &mut [f32], shape: (usize, usize)) {
    let (magnitude, subtracts_mean) = match branch {
        BranchConfig::Spectrum(config) => (config.magnitude, false),
        BranchConfig::Stft(config) => (config.magnitude, config.subtract_mean),
    };
    if magnitude == Magnitude::Log {
        for value in values.iter_mut() {
            *value = value.max(QUIETEST).ln();
        }
    }
    if subtracts_mean {
        let view = ArrayViewMut2::from_shape(shape, values).expect("rows x columns values");
        subtract_temporal_mean(view);
    }
}
