//! Noisy-ArcMix: one angular margin for a mixed clip, on its main class, whatever else it is
//! mixed with.
//!
//! The logits are `s cos(theta + m)` at the clip's main class and `s cos theta` elsewhere; the loss
//! is their cross-entropy with the soft label, so that the second class is learnt against the
//! margin of the first. `ArcMix`, which gives each class its own margin, is [`super::aam`] with
//! soft labels.
//!
//! The paper's main class is the clip that the other was mixed into, even at a share below one
//! half. Here it is the largest entry of the label, since a label does not tell who was mixed into
//! whom. Margins beyond `theta + m = pi` as in [`super::aam`].
//!
//! # Source
//! Choi and Choi, "Noisy-ArcMix: Additive Noisy Angular Margin Loss Combined With Mixup Anomalous
//! Sound Detection", 2024.

use burn::tensor::Tensor;

use super::aam::with_angular_margin;
use super::margin::MarginHead;
use super::sphere::{cosines, largest_of_row, soft_cross_entropy};

/// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn loss(head: &MarginHead, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let cosines = cosines(embeddings, head.centres.unit());
    let margined = with_angular_margin(cosines.clone(), head.margin);
    let is_main = largest_of_row(labels.clone());
    soft_cross_entropy(cosines.mask_where(is_main, margined) * head.scale, labels)
}
