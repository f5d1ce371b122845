//! The running estimate of importance, and what can be read from it.

use std::ops::Range;

use ndarray::{Array2, s};
use serde::{Deserialize, Serialize};

use super::mask::Mask;

/// How much each part of an input raises its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// `[frames, bins]`, in units of the score: positive where keeping raises it.
    pub values: Array2<f32>,
    /// Masks drawn.
    pub masks: usize,
    /// Share of the estimate's variance that more masks would not change, 0..=1, from how far its
    /// groups of masks differ. Of a single group it comes from draws that keep and drop nothing; it then
    /// knows nothing of how another place of the grid would change the estimate, and is too high by that.
    pub reliability: f64,
    /// Mean score of the masked inputs.
    pub mean_score: f64,
}

/// A rectangle of frames and bins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Frames.
    pub frames: Range<usize>,
    /// Bins.
    pub bins: Range<usize>,
}

impl Importance {
    /// Share of all positive importance that lies in a region; zero where there is none.
    /// Chance is the region's share of the area, [`Importance::area_share`].
    ///
    /// # Panics
    /// When the region reaches beyond the input.
    pub fn share_inside(&self, region: &Region) -> f64 {
        let positive = |value: &f32| f64::from(value.max(0.0));
        let inside = self.values.slice(s![region.frames.clone(), region.bins.clone()]);
        let all: f64 = self.values.iter().map(positive).sum();
        if all > 0.0 { inside.iter().map(positive).sum::<f64>() / all } else { 0.0 }
    }

    /// Share of the input's area that a region covers.
    pub fn area_share(&self, region: &Region) -> f64 {
        (region.frames.len() * region.bins.len()) as f64 / self.values.len() as f64
    }
}

/// Sums over the groups of masks seen so far.
pub(super) struct Running {
    keep: f64,
    /// The first score: sums are taken of differences from it, so that they stay small.
    origin: Option<f64>,
    groups: usize,
    masks: usize,
    scores: f64,
    /// Importance by each group times its masks, `[frames, bins]`.
    values: Array2<f64>,
    /// The variance of each group's importance over all places, times its masks.
    variances: f64,
    /// Of the first group: the variance of its noise over all places, as spare draws show it.
    first_noise: f64,
}

impl Running {
    pub(super) fn new(shape: (usize, usize), keep: f64) -> Self {
        let (origin, values) = (None, Array2::zeros(shape));
        let (groups, masks, scores, variances, first_noise) = Default::default();
        Self { keep, origin, groups, masks, scores, values, variances, first_noise }
    }

    pub(super) fn masks(&self) -> usize {
        self.masks
    }

    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Adds masks of one group: they share their axes, so that sums over grids are sums over masks.
    pub(super) fn add(&mut self, group: &[Mask], scores: &[f64]) {
        let (Some(mask), Some(&score)) = (group.first(), scores.first()) else { return };
        let origin = *self.origin.get_or_insert(score);
        let count = group.len() as f64;
        let sum: f64 = scores.iter().map(|score| score - origin).sum();
        let mean = sum / count;
        let mut grid = Array2::<f64>::zeros(mask.grid.dim());
        let mut spare = vec![0.0_f64; mask.spare.len()];
        for (mask, score) in group.iter().zip(scores) {
            let weight = (score - origin - mean) / self.keep;
            grid.zip_mut_with(&mask.grid, |sum, &kept| *sum += weight * f64::from(kept));
            spare.iter_mut().zip(&mask.spare).for_each(|(sum, &kept)| {
                *sum += weight * f64::from(kept);
            });
        }
        if self.groups == 0 {
            let of_node = spare.iter().map(|sum| sum * sum).sum::<f64>() / spare.len() as f64;
            let of_place = of_node * mask.time.noise() * mask.frequency.noise();
            self.first_noise = of_place / (count * count);
        }
        let grid = grid.mapv(|sum| (sum / count) as f32);
        let importance = Mask { grid, spare: Vec::new(), ..mask.clone() }.values();
        self.values.zip_mut_with(&importance, |sum, &value| *sum += count * f64::from(value));
        self.variances += count * variance(importance.iter().map(|&value| f64::from(value)));
        self.groups += 1;
        self.masks += group.len();
        self.scores += sum;
    }

    /// The share of the estimate's variance over all places that is no noise.
    ///
    /// With several groups the noise is known from how they differ, else from the spare draws.
    pub(super) fn reliability(&self) -> f64 {
        let masks = self.masks as f64;
        let all = variance(self.values.iter().map(|sum| sum / masks));
        let noise = if self.groups > 1 {
            (self.variances - masks * all) / ((self.groups - 1) as f64 * masks)
        } else {
            self.first_noise
        };
        if all > 0.0 { (1.0 - noise / all).clamp(0.0, 1.0) } else { 0.0 }
    }

    pub(super) fn finish(self) -> Importance {
        let (masks, reliability) = (self.masks, self.reliability());
        Importance {
            values: self.values.mapv(|sum| (sum / masks as f64) as f32),
            masks,
            reliability,
            mean_score: self.origin.unwrap_or(0.0) + self.scores / masks as f64,
        }
    }
}

fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    let mean: f64 = sum / count;
    squares / count - mean * mean
}
