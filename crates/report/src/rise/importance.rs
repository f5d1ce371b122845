//! The running estimate of importance, and what can be read from it.

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView2, Zip, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Values of a picture that are summed together: their sums fit the fastest cache.
const PIECE: usize = 1024;

/// How much each part of an input raises its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// `[frames, bins]`, in units of the score: positive where keeping raises it.
    pub values: Array2<f32>,
    /// Masks drawn.
    pub masks: usize,
    /// Share of the estimate's variance that more masks would not change, 0..=1: how well its two
    /// halves agree, by the Spearman-Brown formula.
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

/// Sums over the masks seen so far, kept in two halves that take turns.
pub(crate) struct Running {
    keep: f64,
    halves: [Sums; 2],
    /// The first score: sums are taken of differences from it, so that they stay small.
    origin: Option<f64>,
}

struct Sums {
    masks: usize,
    scores: f64,
    mask: Array2<f64>,
    scored_mask: Array2<f64>,
}

impl Running {
    pub(crate) fn new(shape: (usize, usize), keep: f64) -> Self {
        let sums = || Sums {
            masks: 0,
            scores: 0.0,
            mask: Array2::zeros(shape),
            scored_mask: Array2::zeros(shape),
        };
        Self { keep, halves: [sums(), sums()], origin: None }
    }

    pub(crate) fn masks(&self) -> usize {
        self.halves.iter().map(|half| half.masks).sum()
    }

    pub(crate) fn add(&mut self, masks: &Array3<f32>, scores: &[f64]) {
        let origin = *self.origin.get_or_insert(scores[0]);
        let mut of_halves = [Vec::new(), Vec::new()];
        for (mask, score) in masks.outer_iter().zip(scores) {
            let half = usize::from(self.halves[0].masks > self.halves[1].masks);
            let score = score - origin;
            self.halves[half].masks += 1;
            self.halves[half].scores += score;
            of_halves[half].push((mask, score));
        }
        for (sums, masks) in self.halves.iter_mut().zip(&of_halves) {
            sums.add(masks);
        }
    }

    /// Reliability of the whole estimate from the correlation of its halves.
    pub(crate) fn reliability(&self) -> f64 {
        if self.halves.iter().any(|half| half.masks < 2) {
            return 0.0;
        }
        let [a, b] = [0, 1].map(|half| self.halves[half].importance(self.keep));
        let agreement = correlation(&a, &b).max(0.0);
        2.0 * agreement / (1.0 + agreement)
    }

    pub(crate) fn finish(self) -> Importance {
        let reliability = self.reliability();
        let [mut all, other] = self.halves;
        all.masks += other.masks;
        all.scores += other.scores;
        all.mask += &other.mask;
        all.scored_mask += &other.scored_mask;
        Importance {
            values: all.importance(self.keep).mapv(|value| value as f32),
            masks: all.masks,
            reliability,
            mean_score: self.origin.unwrap_or(0.0) + all.scores / all.masks as f64,
        }
    }
}

impl Sums {
    /// Adds masks in their order, piece by piece of the picture: a piece stays in the cache while all
    /// masks pass, and pieces are independent, so that threads change no sum.
    fn add(&mut self, masks: &[(ArrayView2<f32>, f64)]) {
        let whole = "sums and masks lie in one piece";
        let sums = self.mask.as_slice_mut().expect(whole).par_chunks_mut(PIECE);
        let scored = self.scored_mask.as_slice_mut().expect(whole).par_chunks_mut(PIECE);
        sums.zip(scored).enumerate().for_each(|(piece, (sums, scored))| {
            for (mask, score) in masks {
                let mask = &mask.as_slice().expect(whole)[piece * PIECE..];
                for ((sum, scored), &value) in sums.iter_mut().zip(scored.iter_mut()).zip(mask) {
                    let value = f64::from(value);
                    *sum += value;
                    *scored += score * value;
                }
            }
        });
    }

    /// `(sum of score * mask - mean score * sum of mask) / (masks * keep)`.
    fn importance(&self, keep: f64) -> Array2<f64> {
        let mean = self.scores / self.masks as f64;
        let per_mask = (self.masks as f64 * keep).recip();
        Zip::from(&self.scored_mask)
            .and(&self.mask)
            .map_collect(|scored, mask| (scored - mean * mask) * per_mask)
    }
}

/// Pearson's correlation of all values; zero where one of the two is flat.
fn correlation(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let mean = |values: &Array2<f64>| values.sum() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}
