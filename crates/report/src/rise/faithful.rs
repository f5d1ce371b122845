//! Does an explanation tell the truth? Remove or show its parts in order and watch the score.

use std::sync::Arc;

use ndarray::{Array2, s};
use offkey_core::Seed;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{
    axis::Axis,
    config::{RiseError, ScoreFailure, check_scores},
    importance::Importance,
    mask::Mask,
};

/// How an explanation is put to the test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaithfulnessConfig {
    /// Patches along time that are removed or shown as wholes. Default 16: twice the mask grid.
    pub time_patches: usize,
    /// Patches along frequency. Default 16.
    pub frequency_patches: usize,
    /// Points of each curve beyond the first. Default 16.
    pub steps: usize,
    /// Random orders that chance is averaged over. Default 4.
    pub random_orders: usize,
}

impl Default for FaithfulnessConfig {
    fn default() -> Self {
        Self { time_patches: 16, frequency_patches: 16, steps: 16, random_orders: 4 }
    }
}

/// Scores while parts are removed from the input, or shown on an empty one.
///
/// A faithful explanation of a high score has a deletion curve below chance and an insertion
/// curve above it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faithfulness {
    /// Share of the area removed or shown at each point.
    pub shares: Vec<f64>,
    /// Score with the most important share removed.
    pub deletion: Vec<f64>,
    /// Score with only the most important share shown.
    pub insertion: Vec<f64>,
    /// Mean score with a random share removed.
    pub random_deletion: Vec<f64>,
    /// Mean score with only a random share shown.
    pub random_insertion: Vec<f64>,
}

impl Faithfulness {
    /// How far deletion by importance lies below random deletion: the area between the curves,
    /// in units of the score.
    pub fn deletion_gain(&self) -> f64 {
        area(&self.shares, &self.random_deletion) - area(&self.shares, &self.deletion)
    }

    /// How far insertion by importance lies above random insertion.
    pub fn insertion_gain(&self) -> f64 {
        area(&self.shares, &self.insertion) - area(&self.shares, &self.random_insertion)
    }
}

/// Insertion and deletion curves of an explanation, against random orders of the same patches.
///
/// `score` is the closure that [`super::explain()`] was given.
///
/// # Errors
/// [`RiseError`] when there are no patches or steps, or `score` fails.
pub fn faithfulness(
    importance: &Importance,
    config: &FaithfulnessConfig,
    seed: Seed,
    mut score: impl FnMut(&[Mask]) -> Result<Vec<f64>, ScoreFailure>,
) -> Result<Faithfulness, RiseError> {
    let (frames, bins) = importance.values.dim();
    let patches = Patches::new((frames, bins), config)?;
    let by_importance = patches.by_importance(&importance.values);
    let shares: Vec<f64> =
        (0..=config.steps).map(|step| step as f64 / config.steps as f64).collect();
    let mut curve = |order: &[usize], shown: bool| {
        let masks = patches.masks(order, &shares, shown);
        let scores = score(&masks).map_err(|source| RiseError::Score { source })?;
        check_scores(&scores, shares.len(), 0)?;
        Ok::<_, RiseError>(scores)
    };
    let deletion = curve(&by_importance, false)?;
    let insertion = curve(&by_importance, true)?;
    let mut random = [vec![0.0; shares.len()], vec![0.0; shares.len()]];
    for repeat in 0..config.random_orders {
        let mut order = by_importance.clone();
        order.shuffle(&mut seed.child("faithfulness").child(repeat).rng());
        for (shown, sums) in [false, true].into_iter().zip(&mut random) {
            for (sum, score) in sums.iter_mut().zip(curve(&order, shown)?) {
                *sum += score / config.random_orders as f64;
            }
        }
    }
    let [random_deletion, random_insertion] = random;
    Ok(Faithfulness { shares, deletion, insertion, random_deletion, random_insertion })
}

/// A division of the input into rectangles.
struct Patches {
    shape: (usize, usize),
    counts: (usize, usize),
}

impl Patches {
    fn new(shape: (usize, usize), config: &FaithfulnessConfig) -> Result<Self, RiseError> {
        let counts = (config.time_patches.min(shape.0), config.frequency_patches.min(shape.1));
        if counts.0 == 0 || counts.1 == 0 {
            return Err(RiseError::Cells { cells: counts, shape });
        }
        if config.steps == 0 || config.random_orders == 0 {
            return Err(RiseError::NoMasks { masks: config.steps, batch: config.random_orders });
        }
        Ok(Self { shape, counts })
    }

    fn region(&self, patch: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let cut = |index: usize, count: usize, length: usize| {
            index * length / count..(index + 1) * length / count
        };
        let (row, column) = (patch / self.counts.1, patch % self.counts.1);
        (cut(row, self.counts.0, self.shape.0), cut(column, self.counts.1, self.shape.1))
    }

    /// Patches, the one with the largest mean first; ties in order of index.
    fn by_importance(&self, values: &Array2<f32>) -> Vec<usize> {
        let mut ranked: Vec<(f32, usize)> = (0..self.counts.0 * self.counts.1)
            .map(|patch| {
                let (frames, bins) = self.region(patch);
                (values.slice(s![frames, bins]).mean().unwrap_or(0.0), patch)
            })
            .collect();
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.into_iter().map(|(_, patch)| patch).collect()
    }

    /// One mask per share: the first patches of `order` shown, or removed.
    fn masks(&self, order: &[usize], shares: &[f64], shown: bool) -> Vec<Mask> {
        let (first, rest) = if shown { (1.0, 0.0) } else { (0.0, 1.0) };
        let time = Arc::new(Axis::hard(self.shape.0, self.counts.0));
        let frequency = Arc::new(Axis::hard(self.shape.1, self.counts.1));
        let mask = |share: &f64| {
            let mut grid = Array2::from_elem(self.counts, rest);
            let count = (share * order.len() as f64).round() as usize;
            for patch in &order[..count] {
                grid[(patch / self.counts.1, patch % self.counts.1)] = first;
            }
            let (time, frequency) = (Arc::clone(&time), Arc::clone(&frequency));
            Mask { grid, time, frequency, spare: Vec::new() }
        };
        shares.iter().map(mask).collect()
    }
}

/// Area under a curve, by trapezoids.
fn area(at: &[f64], values: &[f64]) -> f64 {
    let steps = at.windows(2).zip(values.windows(2));
    steps.map(|(at, value)| (at[1] - at[0]) * f64::midpoint(value[0], value[1])).sum()
}
