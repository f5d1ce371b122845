//! Mahalanobis distance for few references: standardised, shrunk, and never without a ridge.

use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting};
use crate::{Distance, ScoreError, check::within, shrunk::ShrunkGaussian};

/// Mahalanobis distance to the mean of the references, per root of the number of dimensions.
///
/// Every dimension is divided by its deviation over the references, but by `floor` at least: a
/// band that hardly varied over a few recordings must not count without limit. The covariance is
/// shrunk by Ledoit and Wolf's amount, and a thousandth of the identity is added:
/// `sqrt(d' P d / dims)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShrunkMahalanobisConfig {
    /// Least deviation that a dimension is divided by, in its own unit (0.3: decibels of a
    /// log-mel spectrogram).
    pub floor: f64,
}

impl Default for ShrunkMahalanobisConfig {
    fn default() -> Self {
        Self { floor: 0.3 }
    }
}

impl BackendKind for ShrunkMahalanobisConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        Ok(Box::new(ShrunkGaussian::fit(fitting.embeddings(), self.floor)))
    }

    fn distance(&self) -> Distance {
        Distance::Standardized
    }

    fn least_deviation(&self) -> f64 {
        self.floor
    }

    fn check(&self) -> Result<(), ScoreError> {
        within("floor", self.floor, 1e-6..=1e6, "between 1e-6 and 1e6")
    }
}
