//! Additive angular margin (AAM, ArcFace): the true class competes with `cos(theta + m)`.
//!
//! `L = -ln[ exp(s cos(theta_l + m)) / (exp(s cos(theta_l + m)) + sum_{j != l} exp(s cos theta_j)) ]`,
//! summed over the classes with soft labels as weights. Beyond `theta + m = pi` the logit stays
//! `cos(theta + m)`, our choice.
//!
//! # Source
//! Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.

use std::f64::consts::FRAC_PI_2;

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Centres, Loss, LossState, Matrix, Setting, Task};
use super::margin::{margin_cross_entropy, margin_settings};
use super::scale::Scale;
use super::sphere::cosines;

/// Keeps the sine's gradient finite where embedding and centre coincide.
const LEAST_SQUARED_SINE: f64 = 1e-6;

/// Settings of the additive angular margin loss.
///
/// # Source
/// Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AamConfig {
    /// Factor of the cosines. Default 64, as in the ArcFace paper.
    pub scale: f64,
    /// Angle in radians added to the true class's. Default 0.5, as in the ArcFace paper.
    pub margin: f64,
    /// Whether the class centres learn. Default trainable, as in the ArcFace paper.
    pub centres: Centres,
}

impl Default for AamConfig {
    fn default() -> Self {
        Self { scale: 64.0, margin: 0.5, centres: Centres::Trainable }
    }
}

impl Loss for AamConfig {
    fn settings(&self) -> Vec<Setting> {
        margin_settings(self.margin, FRAC_PI_2, self.scale)
    }

    fn train_centres(&mut self) {
        self.centres = Centres::Trainable;
    }

    fn scale(&self, _task: Task) -> Option<Scale> {
        Some(Scale::constant(self.scale))
    }

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        vec![Matrix::centres(self.centres, task.dims, task.classes, seed.child("centres"))]
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let cosines = cosines(embeddings, state.unit_centres());
        let margined = with_angular_margin(cosines.clone(), self.margin);
        margin_cross_entropy(cosines * self.scale, margined * self.scale, labels)
    }
}

/// `cos(theta + margin)` of every `cos(theta)`.
pub(super) fn with_angular_margin(cosines: Tensor<2>, margin: f64) -> Tensor<2> {
    let squared_sines = cosines.clone().square().neg() + 1.0;
    let sines = squared_sines.clamp_min(LEAST_SQUARED_SINE).sqrt();
    cosines * margin.cos() - sines * margin.sin()
}
