//! Intra-class compactness plus weighted cross-entropy: draws each class together and tells the
//! classes apart, by two separate terms.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::config::{IntraClassCompactnessConfig, IntraClassCompactnessCrossEntropyConfig};
use super::cross_entropy::CrossEntropy;
use super::intra_class_compactness::IntraClassCompactness;

/// Both terms and the weight of the second.
#[derive(Module, Debug)]
pub(crate) struct IntraClassCompactnessCrossEntropy {
    pub(super) compactness: IntraClassCompactness,
    pub(super) cross_entropy: CrossEntropy,
    cross_entropy_weight: f64,
}

impl IntraClassCompactnessCrossEntropy {
    pub(super) fn init(
        config: IntraClassCompactnessCrossEntropyConfig,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let compactness =
            IntraClassCompactnessConfig { normalized: config.normalized, centres: config.centres };
        Self {
            compactness: IntraClassCompactness::init(compactness, dims, classes, seed, device),
            cross_entropy: CrossEntropy::init(dims, classes, seed, device),
            cross_entropy_weight: config.cross_entropy_weight,
        }
    }

    /// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let compactness = self.compactness.loss(embeddings.clone(), labels.clone());
        compactness + self.cross_entropy.loss(embeddings, labels) * self.cross_entropy_weight
    }
}
