//! Intra-class compactness: every embedding near the centre of its class.
//!
//! `L = mean_i sum_c y_ic ||phi_i - c_c||^2`, on the unit sphere unless un-normalised. Nothing
//! keeps the classes apart but their centres.

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::compactness::squared_distances;
use super::kind::{Centres, Loss, LossState, Matrix, Task};
use super::sphere::mean_of_labelled;

/// Settings of the intra-class compactness loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntraClassCompactnessConfig {
    /// Measure the distance on the unit sphere. Default true: what the backend compares.
    pub normalized: bool,
    /// Whether the class centres learn. Default fixed, as the paper has them.
    pub centres: Centres,
}

impl Default for IntraClassCompactnessConfig {
    fn default() -> Self {
        Self { normalized: true, centres: Centres::Fixed }
    }
}

impl Loss for IntraClassCompactnessConfig {
    fn needs_classes(&self) -> bool {
        false
    }

    fn train_centres(&mut self) {
        self.centres = Centres::Trainable;
    }

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        vec![Matrix::centres(self.centres, task.dims, task.classes, seed.child("centres"))]
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        mean_of_labelled(squared_distances(embeddings, state, self.normalized), labels)
    }

    /// As they are: without the sphere, lengths count.
    fn class_centres(&self, state: &LossState) -> Option<Tensor<2>> {
        Some(state.matrix(0))
    }
}
