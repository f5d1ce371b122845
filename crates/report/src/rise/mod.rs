//! RISE: which part of an input raises its score, found by scoring many masked copies.
//!
//! The model is a closure from masks to scores; nothing is known of it. Time and frequency are
//! explained together by [`explain`], a plain spectrum by [`explain_spectrum`].
//!
//! # Source
//! V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
//! Models", BMVC 2018. Two deviations: the mean score is subtracted before weighting, since
//! masking shifts all scores; and the estimate stops when its two halves agree.

mod faithful;
mod findings;
mod importance;
mod mask;

use std::error::Error;

use ndarray::{Array1, ArrayView2, ArrayView3, Axis};
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

pub use faithful::{Faithfulness, FaithfulnessConfig, faithfulness};
pub use findings::{Extent, Finding, Loudest, findings};
use importance::Running;
pub use importance::{Importance, Region};
pub use mask::Masks;

/// Why a closure could not score a batch, in its own words.
pub type ScoreFailure = Box<dyn Error + Send + Sync>;

/// How masks are drawn, and when enough were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiseConfig {
    /// Cells of the mask's grid along time. Default 8 (published settings for this model).
    pub time_cells: usize,
    /// Cells along frequency. Default 8 (likewise).
    pub frequency_cells: usize,
    /// Probability that a cell is kept. Default 0.5 (Petsiuk et al.; published 0.1 to 0.5).
    pub keep: f64,
    /// Most masks drawn. Default 2000 (published 2000 to 6000).
    pub masks: usize,
    /// Masks scored at once. Default 32.
    pub batch: usize,
    /// Stops once the reliability of the estimate reaches this; 1 draws all masks. Default 0.97:
    /// the estimate then shares 97 % of its variance with one from endless masks.
    pub reliability: f64,
}

impl Default for RiseConfig {
    fn default() -> Self {
        Self {
            time_cells: 8,
            frequency_cells: 8,
            keep: 0.5,
            masks: 2000,
            batch: 32,
            reliability: 0.97,
        }
    }
}

impl RiseConfig {
    /// Defaults for a whole-clip spectrum: 32 bands, nothing along time.
    pub fn spectrum() -> Self {
        Self { time_cells: 1, frequency_cells: 32, ..Self::default() }
    }

    fn check(&self, frames: usize, bins: usize) -> Result<(), RiseError> {
        let cells =
            (1..=frames).contains(&self.time_cells) && (1..=bins).contains(&self.frequency_cells);
        if !cells {
            let cells = (self.time_cells, self.frequency_cells);
            return Err(RiseError::Cells { cells, shape: (frames, bins) });
        }
        if !(self.keep > 0.0 && self.keep < 1.0) {
            return Err(RiseError::Keep { found: self.keep });
        }
        if self.masks == 0 || self.batch == 0 {
            return Err(RiseError::NoMasks { masks: self.masks, batch: self.batch });
        }
        Ok(())
    }
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RiseError {
    /// The grid does not fit the input.
    #[error(
        "a mask of {} x {} cells was asked for, expected 1 x 1 to {} x {}",
        cells.0, cells.1, shape.0, shape.1
    )]
    Cells {
        /// Cells along time and frequency.
        cells: (usize, usize),
        /// Frames and bins of the input.
        shape: (usize, usize),
    },
    /// The probability keeps everything or nothing.
    #[error("a mask that keeps cells with probability {found}, expected between 0 and 1")]
    Keep {
        /// Probability asked for.
        found: f64,
    },
    /// Nothing would be drawn.
    #[error("{masks} masks in batches of {batch}, expected at least one of each")]
    NoMasks {
        /// Masks asked for.
        masks: usize,
        /// Batch size asked for.
        batch: usize,
    },
    /// The closure returned another number of scores than it was given masks.
    #[error("{masks} masks got {scores} scores")]
    Scores {
        /// Masks handed out.
        masks: usize,
        /// Scores returned.
        scores: usize,
    },
    /// A score is no number.
    #[error("mask {mask} got a score that is not finite")]
    NotFinite {
        /// Index of the mask.
        mask: usize,
    },
    /// The closure failed.
    #[error("cannot score masked inputs")]
    Score {
        /// The cause.
        source: ScoreFailure,
    },
}

/// Importance of each frame and bin for the score of one input.
///
/// `score` gets masks `[batch, frames, bins]` with values in 0..=1, multiplies the input's
/// magnitudes with each, and returns one score per mask; an error from it ends the work.
/// Masks depend on the seed and their index alone.
///
/// # Shapes
/// Result: `[frames, bins]`.
///
/// # Errors
/// [`RiseError`] when the configuration does not fit, or `score` fails.
pub fn explain(
    (frames, bins): (usize, usize),
    config: &RiseConfig,
    seed: Seed,
    mut score: impl FnMut(ArrayView3<f32>) -> Result<Vec<f64>, ScoreFailure>,
) -> Result<Importance, RiseError> {
    config.check(frames, bins)?;
    let masks = Masks::new((frames, bins), config, seed);
    let mut running = Running::new((frames, bins), config.keep);
    while running.masks() < config.masks {
        let first = running.masks();
        let batch = masks.batch(first..(first + config.batch).min(config.masks));
        let scores = score(batch.view()).map_err(|source| RiseError::Score { source })?;
        check_scores(&scores, batch.len_of(Axis(0)), first)?;
        running.add(&batch, &scores);
        if config.reliability < 1.0 && running.reliability() >= config.reliability {
            break;
        }
    }
    Ok(running.finish())
}

/// Importance of each bin of a whole-clip spectrum: [`explain`] without time.
///
/// `score` gets masks `[batch, bins]`. Of the configuration, `time_cells` is not used.
///
/// # Errors
/// As [`explain`].
pub fn explain_spectrum(
    bins: usize,
    config: &RiseConfig,
    seed: Seed,
    mut score: impl FnMut(ArrayView2<f32>) -> Result<Vec<f64>, ScoreFailure>,
) -> Result<Importance, RiseError> {
    let config = RiseConfig { time_cells: 1, ..config.clone() };
    explain((1, bins), &config, seed, |masks| score(masks.index_axis(Axis(1), 0)))
}

impl Importance {
    /// Importance per bin, summed over frames: the explanation of a spectrum as a curve.
    pub fn by_bin(&self) -> Array1<f32> {
        self.values.sum_axis(Axis(0))
    }
}

fn check_scores(scores: &[f64], masks: usize, first: usize) -> Result<(), RiseError> {
    if scores.len() != masks {
        return Err(RiseError::Scores { masks, scores: scores.len() });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(at) => Err(RiseError::NotFinite { mask: first + at }),
        None => Ok(()),
    }
}
