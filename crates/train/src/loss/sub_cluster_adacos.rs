//! Sub-cluster AdaCos: the softmax runs over several centres a class, and a class's probability
//! is the sum over its own.
//!
//! `L = -sum_c y_c ln sum_m p_{c,m}` with `p = softmax(s cos)` over all centres. The scale is
//! `sqrt(2) ln(centres - 1)`, or follows the batches.
//!
//! # Source
//! Wilkinghoff, "Sub-Cluster AdaCos: Learning Representations for Anomalous Sound Detection",
//! 2021.

use burn::tensor::Tensor;

use super::scale::sub_cluster_scale;
use super::sphere::{cosines, log_sum_exp, soft_cross_entropy, to_array};
use super::sub_clusters::SubClusterHead;

/// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn loss(head: &SubClusterHead, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    loss_of_cosines(head, cosines(embeddings, head.centres.unit()), labels)
}

/// As [`loss`], a dynamic scale adapted first.
pub(super) fn training_loss(
    head: &mut SubClusterHead,
    embeddings: Tensor<2>,
    labels: Tensor<2>,
) -> Tensor<1> {
    let cosines = cosines(embeddings, head.centres.unit());
    if head.scale.is_dynamic() {
        let (seen, wanted) = (to_array(cosines.clone()), to_array(labels.clone()));
        let proposed = sub_cluster_scale(head.scale.value(), seen.view(), wanted.view());
        head.scale.follow(proposed);
    }
    loss_of_cosines(head, cosines, labels)
}

/// The logit of a class is `ln sum_m exp(s cos_m)`, so that a softmax over the classes' logits
/// gives the summed probabilities.
fn loss_of_cosines(head: &SubClusterHead, cosines: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let [clips, centres] = cosines.dims();
    let classes = centres / head.sub_clusters;
    let logits = (cosines * head.scale.value()).reshape([clips, classes, head.sub_clusters]);
    soft_cross_entropy(log_sum_exp(logits).squeeze_dim::<2>(2), labels)
}
