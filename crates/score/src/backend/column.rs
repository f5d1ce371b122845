//! Embeddings that hold an anomaly score already.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting};
use crate::ScoreError;

/// One number of an embedding, taken as the anomaly score: for models that score a clip
/// themselves, as an autoencoder does by its reconstruction error.
///
/// Nothing is compared with the references, which serve the threshold alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnConfig {
    /// Which number, counted from 0.
    pub column: usize,
}

impl BackendKind for ColumnConfig {
    fn fit(&self, _fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        Ok(Box::new(*self))
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        if self.column < dims {
            return Ok(());
        }
        let (setting, found) = ("column", self.column as f64);
        Err(ScoreError::Setting { setting, found, expected: "less than the number of dimensions" })
    }

    fn is_signed(&self) -> bool {
        true
    }
}

impl FittedBackend for ColumnConfig {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        embeddings.column(self.column).iter().map(|&value| f64::from(value)).collect()
    }
}
