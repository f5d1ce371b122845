//! Additive angular margin (AAM, ArcFace): the true class competes with `cos(theta + m)`.
//!
//! `L = -ln[ exp(s cos(theta_l + m)) / (exp(s cos(theta_l + m)) + sum_{j != l} exp(s cos theta_j)) ]`,
//! summed over the classes with soft labels as weights. Beyond `theta + m = pi` the logit stays
//! `cos(theta + m)`, our choice.
//!
//! # Source
//! Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.

use burn::tensor::Tensor;

use super::margin::{MarginHead, margin_cross_entropy};
use super::sphere::cosines;

/// Keeps the sine's gradient finite where embedding and centre coincide.
const LEAST_SQUARED_SINE: f64 = 1e-6;

/// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn loss(head: &MarginHead, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let cosines = cosines(embeddings, head.centres.unit());
    let margined = with_angular_margin(cosines.clone(), head.margin);
    margin_cross_entropy(cosines * head.scale, margined * head.scale, labels)
}

/// `cos(theta + margin)` of every `cos(theta)`.
pub(super) fn with_angular_margin(cosines: Tensor<2>, margin: f64) -> Tensor<2> {
    let squared_sines = cosines.clone().square().neg() + 1.0;
    let sines = squared_sines.clamp_min(LEAST_SQUARED_SINE).sqrt();
    cosines * margin.cos() - sines * margin.sin()
}
