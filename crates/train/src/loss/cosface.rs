//! Additive cosine margin (CosFace): the true class competes with `cos(theta) - m`.
//!
//! `L = -ln[ exp(s (cos_l - m)) / (exp(s (cos_l - m)) + sum_{j != l} exp(s cos_j)) ]`, summed over
//! the classes with soft labels as weights.
//!
//! # Source
//! Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018.

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Centres, Loss, LossState, Matrix, Setting, Task};
use super::margin::{margin_cross_entropy, margin_settings};
use super::scale::Scale;
use super::sphere::cosines;

/// Settings of the additive cosine margin loss.
///
/// # Source
/// Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosFaceConfig {
    /// Factor of the cosines. Default 64, as in the CosFace paper.
    pub scale: f64,
    /// What is taken off the true class's cosine. Default 0.35, as in the CosFace paper.
    pub margin: f64,
    /// Whether the class centres learn. Default trainable, as in the CosFace paper.
    pub centres: Centres,
}

impl Default for CosFaceConfig {
    fn default() -> Self {
        Self { scale: 64.0, margin: 0.35, centres: Centres::Trainable }
    }
}

impl Loss for CosFaceConfig {
    fn settings(&self) -> Vec<Setting> {
        margin_settings(self.margin, 2.0, self.scale)
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
        let logits = cosines(embeddings, state.unit_centres()) * self.scale;
        let margined = logits.clone() - self.scale * self.margin;
        margin_cross_entropy(logits, margined, labels)
    }
}
