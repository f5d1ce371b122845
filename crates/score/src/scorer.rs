//! A backend with the threshold that its own references suggest.

use ndarray::ArrayView2;

use crate::{
    Backend, BackendConfig, Nearest, References, ScoreError, ThresholdConfig, Warning, decide,
};

/// Backend, held-out scores and threshold, fitted to the references of one machine and section.
#[derive(Debug, Clone)]
pub struct Scorer {
    backend: Backend,
    held_out: Vec<f64>,
    threshold: f64,
}

impl Scorer {
    /// Fits backend and threshold.
    ///
    /// `withheld`: embeddings of normal clips whose recordings training has not seen, where there
    /// are any (`[clips, dims]`).
    ///
    /// # Errors
    /// [`ScoreError`] when a setting lies outside its range, the references cannot be used, or the
    /// threshold needs withheld clips and there are none.
    pub fn fit(
        backend: &BackendConfig,
        threshold: &ThresholdConfig,
        references: &References,
        withheld: Option<ArrayView2<f32>>,
    ) -> Result<Self, ScoreError> {
        threshold.check()?;
        let fitted = backend.fit(references)?;
        let held_out = backend.held_out_scores(references)?;
        let threshold = if threshold.needs_withheld() {
            let withheld = withheld.ok_or(ScoreError::NoWithheld)?;
            threshold.fit(&fitted.score(withheld)?)?
        } else {
            threshold.fit(&held_out)?
        };
        Ok(Self { backend: fitted, held_out, threshold })
    }

    /// Anomaly scores of `embeddings`, `[clips, dims]`.
    ///
    /// # Errors
    /// As [`Backend::score`].
    pub fn score(&self, embeddings: ArrayView2<f32>) -> Result<Vec<f64>, ScoreError> {
        self.backend.score(embeddings)
    }

    /// Whether each score lies above the threshold.
    pub fn decide(&self, scores: &[f64]) -> Vec<bool> {
        decide(scores, self.threshold)
    }

    /// The nearest reference of each of `embeddings`, `[clips, dims]`.
    ///
    /// # Errors
    /// As [`Backend::nearest`].
    pub fn nearest(&self, embeddings: ArrayView2<f32>) -> Result<Vec<Nearest>, ScoreError> {
        self.backend.nearest(embeddings)
    }

    /// Scores above it are anomalous.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Scores of the references, each made without its own recording, in their order.
    pub fn held_out(&self) -> &[f64] {
        &self.held_out
    }

    /// What the backend had to do differently from its settings.
    pub fn warnings(&self) -> &[Warning] {
        self.backend.warnings()
    }
}
