//! Batch norm as its neighbours see it: how a stored tensor is *read* behind its norm and ReLU, and
//! how the gradient before a norm is *pulled back* from the stored gradient behind it.
//!
//! Nothing normalised is ever stored. A convolution's raw output is, once; whoever consumes it
//! applies the norm while copying rows into its own small band.

use crate::simd::{LANES, Lane, floats_mut};
use crate::spectrogram::config::NORM_EPS;

/// How a consumer reads a stored tensor: `max(scale * max(value, floor_in) + shift, floor_out)`,
/// channel by channel. A floor is 0 for a ReLU and minus infinity for none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) scale: Vec<Lane>,
    pub(crate) shift: Vec<Lane>,
    pub(crate) floor_in: f32,
    pub(crate) floor_out: f32,
}

/// A floor that changes nothing.
pub(crate) const NO_FLOOR: f32 = f32::NEG_INFINITY;

/// Gradient before a norm from the one behind it: `gain * gradient + slope * max(value, floor) +
/// shift` where `value > floor`, else zero. The floor stands for a ReLU before the norm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pullback {
    pub(crate) gain: Vec<Lane>,
    pub(crate) slope: Vec<Lane>,
    pub(crate) shift: Vec<Lane>,
    pub(crate) floor: f32,
}

impl Pullback {
    /// The gradient as it is stored.
    pub(crate) fn plain(blocks: usize) -> Self {
        Self {
            gain: vec![Lane([1.0; LANES]); blocks],
            slope: vec![Lane::ZERO; blocks],
            shift: vec![Lane::ZERO; blocks],
            floor: NO_FLOOR,
        }
    }
}

/// Mean and population variance of every feature of one batch norm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchStatistics {
    /// Mean of each feature.
    pub mean: Vec<f32>,
    /// Population variance of each feature (divided by the count, not the count less one).
    pub variance: Vec<f32>,
}

/// One norm with the statistics it uses: `scale * x + shift`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Norm {
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
    pub(crate) deviation_inverse: Vec<f64>,
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
    pub(crate) count: f64,
}

/// What a backward pass through a norm gives for its own parameters.
pub(crate) struct NormGradient {
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

impl Norm {
    /// From the statistics of a batch or running ones, over `count` values; gamma 1 and beta 0
    /// where there is no `affine`.
    pub(crate) fn new(
        affine: Option<[&[f32]; 2]>,
        mean: Vec<f64>,
        variance: Vec<f64>,
        count: usize,
    ) -> Self {
        let gamma = |feature: usize| affine.map_or(1.0, |[gamma, _]| gamma[feature] as f64);
        let beta = |feature: usize| affine.map_or(0.0, |[_, beta]| beta[feature] as f64);
        let deviation_inverse: Vec<f64> =
            variance.iter().map(|v| 1.0 / (v + NORM_EPS as f64).sqrt()).collect();
        let features = 0..mean.len();
        let scale: Vec<f64> = features.clone().map(|f| gamma(f) * deviation_inverse[f]).collect();
        let shift = features.map(|f| beta(f) - mean[f] * scale[f]).collect();
        Self { mean, variance, deviation_inverse, scale, shift, count: count as f64 }
    }

    /// Factor and addend of each feature.
    pub(crate) fn factors(&self) -> (Vec<f32>, Vec<f32>) {
        let single = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        (single(&self.scale), single(&self.shift))
    }

    /// Factor and addend of each feature to zero mean and unit variance, gamma and beta aside.
    pub(crate) fn standardising(&self) -> (Vec<f32>, Vec<f32>) {
        let pairs = self.deviation_inverse.iter().zip(&self.mean);
        pairs.map(|(inverse, mean)| (*inverse as f32, (-mean * inverse) as f32)).unzip()
    }

    /// The norm's output, with an optional ReLU before and behind.
    pub(crate) fn reading(&self, relu_before: bool, relu_behind: bool) -> Reading {
        let floor = |relu: bool| if relu { 0.0 } else { NO_FLOOR };
        Reading {
            scale: lanes(self.scale.iter().copied()),
            shift: lanes(self.shift.iter().copied()),
            floor_in: floor(relu_before),
            floor_out: floor(relu_behind),
        }
    }

    /// The backward pass, from the sums over the batch of `gradient` and of `gradient * value`,
    /// gradients taken behind the norm and values before it.
    pub(crate) fn backward(
        &self,
        gradient_sum: &[f64],
        product_sum: &[f64],
        relu_before: bool,
    ) -> (Pullback, NormGradient) {
        let features = 0..self.mean.len();
        let gamma: Vec<f64> = features
            .clone()
            .map(|f| (product_sum[f] - self.mean[f] * gradient_sum[f]) * self.deviation_inverse[f])
            .collect();
        let slope = |f: usize| -self.scale[f] * gamma[f] / self.count * self.deviation_inverse[f];
        let shift =
            |f: usize| -self.scale[f] * gradient_sum[f] / self.count - slope(f) * self.mean[f];
        let pullback = Pullback {
            gain: lanes(self.scale.iter().copied()),
            slope: lanes(features.clone().map(slope)),
            shift: lanes(features.map(shift)),
            floor: if relu_before { 0.0 } else { NO_FLOOR },
        };
        let beta = gradient_sum.iter().map(|&sum| sum as f32).collect();
        let gamma = gamma.iter().map(|&sum| sum as f32).collect();
        (pullback, NormGradient { gamma, beta })
    }
}

/// Mean and population variance from sums of values and of squares.
pub(crate) fn moments(sum: &[f64], square_sum: &[f64], count: f64) -> (Vec<f64>, Vec<f64>) {
    let mean: Vec<f64> = sum.iter().map(|s| s / count).collect();
    let variance =
        square_sum.iter().zip(&mean).map(|(s, m)| (s / count - m * m).max(0.0)).collect();
    (mean, variance)
}

/// Values in vectors of sixteen, the last one padded with zeros.
fn lanes(values: impl ExactSizeIterator<Item = f64>) -> Vec<Lane> {
    let mut lanes = vec![Lane::ZERO; values.len().div_ceil(LANES)];
    for (slot, value) in floats_mut(&mut lanes).iter_mut().zip(values) {
        *slot = value as f32;
    }
    lanes
}
