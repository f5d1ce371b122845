//! AdaProj: a class is a subspace, and an embedding is compared with its own projection on it.
//!
//! With `t_c = sum_m <e, w_cm> w_cm`, the cosine of class `c` is `<e, t_c> / ||t_c||`; the loss is
//! the cross-entropy of `softmax(s cos)`.
//!
//! # Source
//! Wilkinghoff, "AdaProj: Adaptively Scaled Angular Margin Subspace Projections for Anomalous
//! Sound Detection with Auxiliary Classification Tasks", 2024.

use burn::tensor::Tensor;

use super::scale::adaproj_scale;
use super::sphere::{cosines, soft_cross_entropy, to_array};
use super::sub_clusters::SubClusterHead;

/// An embedding orthogonal to a whole subspace projects to zero: its cosine counts as zero.
const LEAST_SQUARED_PROJECTION: f64 = 1e-24;

/// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn loss(head: &SubClusterHead, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    soft_cross_entropy(class_cosines(head, embeddings) * head.scale.value(), labels)
}

/// As [`loss`], a dynamic scale adapted first.
pub(super) fn training_loss(
    head: &mut SubClusterHead,
    embeddings: Tensor<2>,
    labels: Tensor<2>,
) -> Tensor<1> {
    let cosines = class_cosines(head, embeddings);
    if head.scale.is_dynamic() {
        let (seen, wanted) = (to_array(cosines.clone()), to_array(labels.clone()));
        let proposed = adaproj_scale(head.scale.value(), seen.view(), wanted.view());
        head.scale.follow(proposed);
    }
    soft_cross_entropy(cosines * head.scale.value(), labels)
}

/// `<e, n_c>` for every clip and class: with `a_m = <e, w_cm>` and the class's Gram matrix
/// `G`, `<e, t_c> = |a|^2` and `||t_c||^2 = a G a`, so that no projection is ever written out.
///
/// # Shapes
/// `embeddings`: `[clips, dims]`; result: `[clips, classes]`.
fn class_cosines(head: &SubClusterHead, embeddings: Tensor<2>) -> Tensor<2> {
    let vectors = head.centres.unit();
    let [dims, count] = vectors.dims();
    let (clips, classes) = (embeddings.dims()[0], count / head.sub_clusters);

    let products = cosines(embeddings, vectors.clone())
        .reshape([clips, classes, head.sub_clusters])
        .swap_dims(0, 1);
    let by_class = vectors.reshape([dims, classes, head.sub_clusters]).permute([1, 0, 2]);
    let gram = by_class.clone().swap_dims(1, 2).matmul(by_class);

    let along = products.clone().square().sum_dim(2);
    let squared_lengths = (products.clone().matmul(gram) * products).sum_dim(2);
    let lengths = squared_lengths.clamp_min(LEAST_SQUARED_PROJECTION).sqrt();
    (along / lengths).squeeze_dim::<2>(2).transpose()
}
