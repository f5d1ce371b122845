//! Sub-cluster AdaCos: the softmax runs over several centres a class, and a class's probability
//! is the sum over its own.
//!
//! `L = -sum_c y_c ln sum_m p_{c,m}` with `p = softmax(s cos)` over all centres. The scale is
//! `sqrt(2) ln(centres - 1)`, or follows the batches.
//!
//! # Source
//! Wilkinghoff, "Sub-Cluster AdaCos: Learning Representations for Anomalous Sound Detection",
//! 2021.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::config::SubClusterAdaCosConfig;
use super::scale::{Scale, sub_cluster_scale};
use super::sphere::{cosines, log_sum_exp, soft_cross_entropy, to_array};

/// Several centres a class, and the scale.
#[derive(Module, Debug)]
pub(crate) struct SubClusterAdaCos {
    pub(super) centres: CentreColumns,
    pub(super) sub_clusters: usize,
    #[module(skip)]
    pub(super) scale: Scale,
}

impl SubClusterAdaCos {
    pub(super) fn init(
        config: SubClusterAdaCosConfig,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let count = classes * config.sub_clusters;
        let seed = seed.child("centres");
        Self {
            centres: CentreColumns::draw(config.centres, dims, count, seed, device),
            sub_clusters: config.sub_clusters,
            scale: Scale::new(config.scale, count),
        }
    }

    /// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        self.loss_of_cosines(cosines(embeddings, self.centres.unit()), labels)
    }

    /// As [`loss`](Self::loss), a dynamic scale adapted first.
    pub(super) fn training_loss(&mut self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let cosines = cosines(embeddings, self.centres.unit());
        if self.scale.is_dynamic() {
            let (seen, wanted) = (to_array(cosines.clone()), to_array(labels.clone()));
            let proposed = sub_cluster_scale(self.scale.value(), seen.view(), wanted.view());
            self.scale.follow(proposed);
        }
        self.loss_of_cosines(cosines, labels)
    }

    /// The logit of a class is `ln sum_m exp(s cos_m)`, so that a softmax over the classes' logits
    /// gives the summed probabilities.
    fn loss_of_cosines(&self, cosines: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let [clips, centres] = cosines.dims();
        let classes = centres / self.sub_clusters;
        let logits = (cosines * self.scale.value()).reshape([clips, classes, self.sub_clusters]);
        soft_cross_entropy(log_sum_exp(logits).squeeze_dim::<2>(2), labels)
    }
}
