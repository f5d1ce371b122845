//! What a backend is: what fits a scorer to references, and where those of other crates are found.

use std::fmt::Debug;

use ndarray::ArrayView2;
use offkey_core::Registry;

use super::fitting::Fitting;
use crate::{Distance, ScoreError, normals::Normals};

/// A kind of backend with its settings: what fits a scorer to references.
///
/// Only `fit` has to be written. A backend of another crate enters a [`BackendRegistry`] and is
/// named in recipes as `custom = "NAME"`.
pub trait BackendKind: Debug + Send + Sync {
    /// Fits a scorer to references. The result must not depend on the order of the references.
    ///
    /// # Errors
    /// [`ScoreError`] when these references cannot be used.
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError>;

    /// How far embeddings are apart, for this backend and for the nearest reference it names.
    fn distance(&self) -> Distance {
        Distance::Euclidean
    }

    /// Replaces every distance in the settings; does nothing where there is none.
    fn set_distance(&mut self, _distance: Distance) {}

    /// Least deviation that the standardised distance divides a dimension by.
    fn least_deviation(&self) -> f64 {
        0.0
    }

    /// Refuses settings outside their range. Needs no data.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] naming the setting.
    fn check(&self) -> Result<(), ScoreError> {
        Ok(())
    }

    /// Refuses embeddings of a length that the settings cannot go with.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] naming the setting.
    fn check_dims(&self, _dims: usize) -> Result<(), ScoreError> {
        Ok(())
    }

    /// Whether scores of normal clips can be zero or negative, so that they have no logarithm.
    fn is_signed(&self) -> bool {
        false
    }

    /// Levels of backends inside this one.
    fn nesting(&self) -> usize {
        0
    }

    /// Looks up the custom backends inside this one.
    ///
    /// # Errors
    /// [`ScoreError::UnknownBackend`] when one is not in the registry.
    fn resolve(&mut self, _registry: &BackendRegistry) -> Result<(), ScoreError> {
        Ok(())
    }

    /// Scores of the references, each without those of its own label, where there is a faster
    /// way than fitting once per label.
    fn leave_out(&self, _fitting: &Fitting, _labels: &[usize]) -> Option<Vec<f64>> {
        None
    }
}

/// A backend fitted to references.
pub trait FittedBackend: Debug + Send + Sync {
    /// Anomaly scores of `embeddings` (`[clips, dims]`): finite, larger is more anomalous. The
    /// score of a clip must not depend on the clips scored with it.
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64>;
}

impl dyn BackendKind + '_ {
    /// References as this backend is fitted to them.
    pub(crate) fn fitting<'a>(&self, normals: &'a Normals) -> Fitting<'a> {
        Fitting::new(self.distance(), self.least_deviation(), normals)
    }
}

/// Backends of other crates by the name that recipes give them, as in `custom = "NAME"`.
pub type BackendRegistry = Registry<dyn BackendKind>;
