//! Scores brought to a common scale by held-out scores of normal clips.

use offkey_core::stats;

/// Mean and deviation of normal scores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standard {
    mean: f64,
    deviation: f64,
}

impl Standard {
    /// Of held-out scores; where they do not vary, one is taken as their deviation. `scores` must
    /// not be empty.
    pub(crate) fn of(scores: &[f64]) -> Self {
        let mean = stats::mean(scores).unwrap_or(f64::NAN);
        let deviation = stats::deviation(scores).unwrap_or(0.0);
        // A deviation that is rounding alone would blow a score up without meaning.
        let negligible = deviation <= 1e-12 * (1.0 + mean.abs());
        Self { mean, deviation: if negligible { 1.0 } else { deviation } }
    }

    pub(crate) fn apply(self, score: f64) -> f64 {
        (score - self.mean) / self.deviation
    }
}
