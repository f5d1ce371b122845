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
    expected_false_alarms: Option<f64>,
}

impl Scorer {
    /// Fits backend and threshold.
    ///
    /// `withheld`: embeddings (`[clips, dims]`, or none) of normal clips whose recordings neither
    /// training nor the references contain. Where there are some, the threshold is found on their
    /// scores; else on the references', each made without its own recording.
    ///
    /// # Errors
    /// [`ScoreError`] when a setting lies outside its range or the references cannot be used.
    pub fn fit(
        backend: &BackendConfig,
        threshold: &ThresholdConfig,
        references: &References,
        withheld: ArrayView2<f32>,
    ) -> Result<Self, ScoreError> {
        threshold.check()?;
        let fitted = backend.fit(references)?;
        let held_out = if withheld.is_empty() {
            backend.held_out_scores(references)?
        } else {
            fitted.score(withheld)?
        };
        Ok(Self {
            backend: fitted,
            threshold: threshold.fit(&held_out)?,
            expected_false_alarms: threshold.expected_false_alarms(withheld.nrows()),
            held_out,
        })
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

    /// Share of new normal recordings expected above the threshold; none where it cannot be stated.
    pub fn expected_false_alarms(&self) -> Option<f64> {
        self.expected_false_alarms
    }

    /// Scores of withheld clips, or of the references, each made without its own recording: what
    /// the threshold was found on.
    pub fn held_out(&self) -> &[f64] {
        &self.held_out
    }

    /// What the backend had to do differently from its settings.
    pub fn warnings(&self) -> &[Warning] {
        self.backend.warnings()
    }
}
