//! Mel scales, and how the triangles over them are weighted.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Which mel scale bands are spread over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MelScale {
    /// Linear to 1 kHz, logarithmic above, as in librosa.
    #[default]
    Slaney,
    /// `2595 log10(1 + f / 700)`, as in HTK, torchaudio and Kaldi.
    Htk,
}

/// How the triangle of a mel band is weighted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MelWeights {
    /// An area of 1 Hz, as librosa's `norm="slaney"`.
    #[default]
    Area,
    /// Weights that add up to 1, as librosa's `norm=1`.
    Sum,
    /// A peak of 1, as librosa's `norm=None`.
    Peak,
}

impl MelScale {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Edges of `mels` bands over a range of frequencies: band `m` lies between edges `m` and `m + 2`, and is
    /// centred on edge `m + 1`.
    pub(crate) fn edges_hz(self, mels: usize, range_hz: Range<f64>) -> Vec<f64> {
        let (low, high) = (self.mel(range_hz.start), self.mel(range_hz.end));
        let step = |edge: usize| (high - low) * edge as f64 / (mels + 1) as f64;
        (0..mels + 2).map(|edge| self.hz(low + step(edge))).collect()
    }

    fn mel(self, hz: f64) -> f64 {
        match self {
            Self::Slaney if hz < KNEE_HZ => hz * MEL_PER_HZ,
            Self::Slaney => KNEE_MEL + (hz / KNEE_HZ).ln() / mel_step(),
            Self::Htk => HTK_MEL * (1.0 + hz / HTK_HZ).log10(),
        }
    }

    fn hz(self, mel: f64) -> f64 {
        match self {
            Self::Slaney if mel < KNEE_MEL => mel / MEL_PER_HZ,
            Self::Slaney => KNEE_HZ * (mel_step() * (mel - KNEE_MEL)).exp(),
            Self::Htk => HTK_HZ * (10.0_f64.powf(mel / HTK_MEL) - 1.0),
        }
    }
}

impl MelWeights {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The weights of a triangle with a peak of 1, so many hertz wide.
    pub(crate) fn of_triangle(self, weights: &[f64], width_hz: f64) -> Vec<f32> {
        let sum: f64 = weights.iter().sum();
        let weighted = |weight: f64| match self {
            Self::Area => weight * 2.0 / width_hz,
            // A triangle between two bins has no weight at all.
            Self::Sum if sum > 0.0 => weight / sum,
            Self::Sum | Self::Peak => weight,
        };
        weights.iter().map(|&weight| weighted(weight) as f32).collect()
    }
}

/// Slaney's scale is linear to 1 kHz (15 mel) and then grows by a factor of 6.4 every 27 mel.
const MEL_PER_HZ: f64 = 3.0 / 200.0;
const KNEE_HZ: f64 = 1000.0;
const KNEE_MEL: f64 = 15.0;
/// HTK's scale.
const HTK_MEL: f64 = 2595.0;
const HTK_HZ: f64 = 700.0;

fn mel_step() -> f64 {
    6.4_f64.ln() / 27.0
}

/// Edges of `mels` bands on Slaney's scale over a range of frequencies: band `m` lies between edges `m`
/// and `m + 2`, and is centred on edge `m + 1`.
///
/// # Source
/// Slaney, Auditory Toolbox (1998).
pub fn mel_edges_hz(mels: usize, range_hz: Range<f64>) -> Vec<f64> {
    MelScale::Slaney.edges_hz(mels, range_hz)
}
