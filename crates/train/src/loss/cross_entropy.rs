//! Cross-entropy of a linear layer without bias on the un-normalised embeddings.
//!
//! `L = -mean_i sum_c y_ic ln softmax(W^T phi_i)_c`: neither margin nor sphere, the plain
//! classifier to compare with.

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Loss, LossState, Matrix, Task};
use super::sphere::soft_cross_entropy;

/// Settings of the cross-entropy loss: none, the linear layer is always trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropyConfig {}

impl Loss for CrossEntropyConfig {
    fn train_centres(&mut self) {}

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        vec![Matrix::linear(task.dims, task.classes, seed.child("linear"))]
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        linear_cross_entropy(state.matrix(0), embeddings, labels)
    }

    /// A linear layer has none.
    fn class_centres(&self, _state: &LossState) -> Option<Tensor<2>> {
        None
    }
}

/// Cross-entropy of `softmax(embeddings weight)`.
pub(super) fn linear_cross_entropy(
    weight: Tensor<2>,
    embeddings: Tensor<2>,
    labels: Tensor<2>,
) -> Tensor<1> {
    soft_cross_entropy(embeddings.matmul(weight), labels)
}
