//! Intra-class compactness plus weighted cross-entropy: draws each class together and tells the
//! classes apart, by two separate terms.

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::compactness::squared_distances;
use super::cross_entropy::linear_cross_entropy;
use super::kind::{Centres, Loss, LossState, Matrix, Setting, Task};
use super::sphere::mean_of_labelled;

/// Settings of the intra-class compactness loss with cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntraClassCompactnessCrossEntropyConfig {
    /// Measure the distance on the unit sphere. Default true: what the backend compares.
    pub normalized: bool,
    /// Whether the class centres learn. Default fixed, as the paper has them.
    pub centres: Centres,
    /// Factor of the cross-entropy. Default 1: our choice, the paper names no weight.
    pub cross_entropy_weight: f64,
}

impl Default for IntraClassCompactnessCrossEntropyConfig {
    fn default() -> Self {
        Self { normalized: true, centres: Centres::Fixed, cross_entropy_weight: 1.0 }
    }
}

impl Loss for IntraClassCompactnessCrossEntropyConfig {
    fn settings(&self) -> Vec<Setting> {
        vec![("cross_entropy_weight", self.cross_entropy_weight, 0.0, f64::MAX)]
    }

    fn train_centres(&mut self) {
        self.centres = Centres::Trainable;
    }

    /// Centres, then the linear layer.
    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        let Task { dims, classes } = task;
        vec![
            Matrix::centres(self.centres, dims, classes, seed.child("centres")),
            Matrix::linear(dims, classes, seed.child("linear")),
        ]
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let distances = squared_distances(embeddings.clone(), state, self.normalized);
        let compactness = mean_of_labelled(distances, labels.clone());
        let cross_entropy = linear_cross_entropy(state.matrix(1), embeddings, labels);
        compactness + cross_entropy * self.cross_entropy_weight
    }

    /// As they are: without the sphere, lengths count.
    fn class_centres(&self, state: &LossState) -> Option<Tensor<2>> {
        Some(state.matrix(0))
    }
}
