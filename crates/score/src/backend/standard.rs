//! Scores brought to a common scale by held-out scores of normal clips.

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
        let clips = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / clips;
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        let deviation = (squares / (clips - 1.0).max(1.0)).sqrt();
        // A deviation that is rounding alone would blow a score up without meaning.
        let negligible = deviation <= 1e-12 * (1.0 + mean.abs());
        Self { mean, deviation: if negligible { 1.0 } else { deviation } }
    }

    pub(crate) fn apply(self, score: f64) -> f64 {
        (score - self.mean) / self.deviation
    }
}
