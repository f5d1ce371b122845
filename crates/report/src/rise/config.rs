//! How masks are drawn, when enough were, and what can go wrong.

use std::error::Error;

use serde::{Deserialize, Serialize};

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
    /// Most masks drawn. Default 1024, which estimate as well as 2000 drawn independently (published:
    /// 2000 to 6000 such). They come in groups that are balanced within: 256 masks for the default grid.
    pub masks: usize,
    /// Masks scored at once. Default 32.
    pub batch: usize,
    /// Stops after the group with which the reliability of the estimate reaches this, two groups at
    /// least; 1 draws all masks. Default 0.97: the estimate then shares 97 % of its variance with one
    /// from endless masks.
    pub reliability: f64,
}

impl Default for RiseConfig {
    fn default() -> Self {
        Self {
            time_cells: 8,
            frequency_cells: 8,
            keep: 0.5,
            masks: 1024,
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

    pub(super) fn check(&self, frames: usize, bins: usize) -> Result<(), RiseError> {
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

/// A finite score per mask, or what is wrong.
pub(super) fn check_scores(scores: &[f64], masks: usize, first: usize) -> Result<(), RiseError> {
    if scores.len() != masks {
        return Err(RiseError::Scores { masks, scores: scores.len() });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(at) => Err(RiseError::NotFinite { mask: first + at }),
        None => Ok(()),
    }
}
