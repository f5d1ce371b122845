//! Additive cosine margin (CosFace): the true class competes with `cos(theta) - m`.
//!
//! `L = -ln[ exp(s (cos_l - m)) / (exp(s (cos_l - m)) + sum_{j != l} exp(s cos_j)) ]`, summed over
//! the classes with soft labels as weights.
//!
//! # Source
//! Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018.

use burn::tensor::Tensor;

use super::margin::{MarginHead, margin_cross_entropy};
use super::sphere::cosines;

/// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn loss(head: &MarginHead, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let logits = cosines(embeddings, head.centres.unit()) * head.scale;
    let margined = logits.clone() - head.scale * head.margin;
    margin_cross_entropy(logits, margined, labels)
}
