//! Embeddings that hold an anomaly score already.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

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

impl ColumnConfig {
    /// Refuses a column that embeddings of this length do not have.
    pub(super) fn check(self, dims: usize) -> Result<(), ScoreError> {
        if self.column < dims {
            return Ok(());
        }
        Err(ScoreError::Setting {
            setting: "column",
            found: self.column as f64,
            expected: "less than the number of dimensions",
        })
    }

    /// Scores of embeddings as they came, `[clips, dims]`.
    pub(super) fn score(self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        embeddings.column(self.column).iter().map(|&value| f64::from(value)).collect()
    }
}
