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

use std::f64::consts::FRAC_PI_2;

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::aam::with_angular_margin;
use super::kind::{Centres, Loss, LossState, Matrix, Setting, Task};
use super::margin::margin_settings;
use super::scale::Scale;
use super::sphere::{cosines, largest_of_row, soft_cross_entropy};

/// Settings of the Noisy-ArcMix loss.
///
/// # Source
/// Choi and Choi, "Noisy-ArcMix: Additive Noisy Angular Margin Loss Combined With Mixup Anomalous
/// Sound Detection", 2024.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoisyArcMixConfig {
    /// Factor of the cosines. Default 30, as in the authors' published system.
    pub scale: f64,
    /// Angle in radians added to the main class's. Default 0.7, as in the authors' published
    /// system.
    pub margin: f64,
    /// Whether the class centres learn. Default trainable, as in the authors' published system.
    pub centres: Centres,
}

impl Default for NoisyArcMixConfig {
    fn default() -> Self {
        Self { scale: 30.0, margin: 0.7, centres: Centres::Trainable }
    }
}

impl Loss for NoisyArcMixConfig {
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
        let is_main = largest_of_row(labels.clone());
        soft_cross_entropy(cosines.mask_where(is_main, margined) * self.scale, labels)
    }
}
