//! Cross-entropy of a linear layer without bias on the un-normalised embeddings.
//!
//! `L = -mean_i sum_c y_ic ln softmax(W^T phi_i)_c`: neither margin nor sphere, the plain
//! classifier to compare with.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::{glorot_uniform, matrix_param};
use super::config::Centres;
use super::sphere::soft_cross_entropy;

/// The linear layer `[dims, classes]`.
#[derive(Module, Debug)]
pub(crate) struct CrossEntropy {
    pub(super) weight: Param<Tensor<2>>,
}

impl CrossEntropy {
    pub(super) fn init(dims: usize, classes: usize, seed: Seed, device: &Device) -> Self {
        let weight = glorot_uniform(dims, classes, seed.child("linear"));
        Self { weight: matrix_param(&weight, Centres::Trainable, device) }
    }

    /// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        soft_cross_entropy(embeddings.matmul(self.weight.val()), labels)
    }
}
