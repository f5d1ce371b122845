//! The scale on which scores of different backends can be compared.

use offkey_core::stats::{self, Sorted};
use serde::{Deserialize, Serialize};

/// Smallest distance that has a logarithm of its own.
const LEAST_DISTANCE: f64 = 1e-6;
/// Least deviation of logarithms: normals that are nearly equal must not blow a score up.
const LEAST_LOG_DEVIATION: f64 = 0.1;
/// Deviations below this share of the scores' size are rounding.
const ROUNDING: f64 = 1e-9;

/// Median and deviation of held-out scores of normals.
///
/// Distances are compared by their logarithms, `ln max(d, 1e-6)`, with a deviation of 0.1 at
/// least; scores that can be negative are compared as they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    signed: bool,
    median: f64,
    deviation: f64,
}

impl Scale {
    /// The scale of held-out scores; none where they do not vary, or there is none.
    pub fn of(held_out: &[f64], signed: bool) -> Option<Self> {
        let values = Sorted::new(held_out.iter().map(|&score| transformed(score, signed)));
        let (median, mean) = (values.median()?, stats::mean(values.values())?);
        let squares: f64 = values.values().iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / held_out.len() as f64).sqrt();
        if deviation.is_nan() || deviation <= ROUNDING * (1.0 + mean.abs()) {
            return None;
        }
        let deviation = if signed { deviation } else { deviation.max(LEAST_LOG_DEVIATION) };
        Some(Self { signed, median, deviation })
    }

    /// A scale from its numbers, where there can be such a one.
    pub(crate) fn restored(median: f64, deviation: f64, signed: bool) -> Option<Self> {
        let possible = median.is_finite() && deviation.is_finite() && deviation > 0.0;
        possible.then_some(Self { signed, median, deviation })
    }

    /// Median of the held-out scores: of their logarithms, where they are distances.
    pub fn median(&self) -> f64 {
        self.median
    }

    /// Deviation of the held-out scores, likewise.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The score in deviations from the median of held-out normals.
    pub fn z(&self, score: f64) -> f64 {
        (transformed(score, self.signed) - self.median) / self.deviation
    }
}

fn transformed(score: f64, signed: bool) -> f64 {
    if signed { score } else { score.max(LEAST_DISTANCE).ln() }
}
