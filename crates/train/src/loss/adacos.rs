//! AdaCos: the cross-entropy of `softmax(s cos)`, one centre a class, no margin to tune.
//!
//! The scale is `sqrt(2) ln(classes - 1)`, or follows the batches.
//!
//! # Source
//! Zhang et al., "AdaCos: Adaptively Scaling Cosine Logits for Effectively Learning Deep Face
//! Representations", 2019.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::config::AdaCosConfig;
use super::scale::{Scale, adacos_scale};
use super::sphere::{cosines, soft_cross_entropy, to_array};

/// One centre a class, and the scale.
#[derive(Module, Debug)]
pub(crate) struct AdaCos {
    pub(super) centres: CentreColumns,
    #[module(skip)]
    pub(super) scale: Scale,
}

impl AdaCos {
    pub(super) fn init(
        config: AdaCosConfig,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let seed = seed.child("centres");
        Self {
            centres: CentreColumns::draw(config.centres, dims, classes, seed, device),
            scale: Scale::new(config.scale, classes),
        }
    }

    /// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let cosines = cosines(embeddings, self.centres.unit());
        soft_cross_entropy(cosines * self.scale.value(), labels)
    }

    /// As [`loss`](Self::loss), a dynamic scale adapted first.
    pub(super) fn training_loss(&mut self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let cosines = cosines(embeddings, self.centres.unit());
        if self.scale.is_dynamic() {
            let (seen, wanted) = (to_array(cosines.clone()), to_array(labels.clone()));
            let proposed = adacos_scale(self.scale.value(), seen.view(), wanted.view());
            self.scale.follow(proposed);
        }
        soft_cross_entropy(cosines * self.scale.value(), labels)
    }
}
