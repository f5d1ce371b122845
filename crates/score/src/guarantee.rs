//! What is known about false alarms of a detector whose references are its calibration too.

use serde::{Deserialize, Serialize};

/// How new recordings are compared with those learned from, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Every recording is left out alone: [`jackknife_plus_bound`].
    JackknifePlus {
        /// Recordings compared with.
        recordings: usize,
    },
    /// Blocks in time of too few recordings are left out. They are alike as new recordings are
    /// not: shares can be measured, and nothing is guaranteed.
    Measured {
        /// Blocks.
        blocks: usize,
    },
}

/// How likely a normal recording is to look at least this bad.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PValue {
    /// At most so likely, for any distribution, if the recording is exchangeable with those
    /// learned from.
    AtMost(f64),
    /// The share expected if blocks in time were exchangeable with new recordings; no bound.
    Measured(f64),
}

impl PValue {
    /// The number.
    pub fn value(self) -> f64 {
        match self {
            Self::AtMost(value) | Self::Measured(value) => value,
        }
    }

    /// Whether the number is a bound.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::AtMost(_))
    }
}

impl Guarantee {
    /// Recordings or blocks that a window is compared with.
    pub fn comparisons(&self) -> usize {
        match *self {
            Self::JackknifePlus { recordings } => recordings,
            Self::Measured { blocks } => blocks,
        }
    }

    /// How often a normal recording loses `losses` comparisons or fewer: with as many allowed,
    /// the share of normal recordings in which any window alarms.
    pub fn share(&self, losses: usize) -> PValue {
        match *self {
            Self::JackknifePlus { recordings } => {
                PValue::AtMost(jackknife_plus_bound(losses, recordings))
            }
            Self::Measured { blocks } => PValue::Measured(nominal(losses, blocks)),
        }
    }

    /// The most losses that may be allowed so that [`Guarantee::share`] is at most `share`; none
    /// where even no loss is too much.
    pub fn most_losses(&self, share: f64) -> Option<usize> {
        (0..self.comparisons()).take_while(|&losses| self.share(losses).value() <= share).last()
    }
}

/// Share of normal recordings that alarm where `allowed` of the comparisons with `recordings`
/// recordings may be lost: at most `(2 allowed + 1) / (recordings + 1)`.
///
/// Of `recordings + 1` exchangeable ones, each meeting every other with a detector fitted without
/// both, let `s` lose `allowed` times at most. Of every two of them one loses, so
/// `s (s - 1) / 2 <= s allowed`.
///
/// # Source
/// Jackknife+: Barber, Candès, Ramdas and Tibshirani, Annals of Statistics 49 (2021), theorem 1.
pub fn jackknife_plus_bound(allowed: usize, recordings: usize) -> f64 {
    ((2 * allowed + 1) as f64 / (recordings + 1) as f64).min(1.0)
}

/// Share of exchangeable units that lose `losses` of the comparisons with all others, or fewer.
fn nominal(losses: usize, units: usize) -> f64 {
    ((losses + 1) as f64 / (units + 1) as f64).min(1.0)
}
