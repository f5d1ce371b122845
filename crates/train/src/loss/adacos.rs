//! AdaCos: the cross-entropy of `softmax(s cos)`, one centre a class, no margin to tune.
//!
//! The scale is `sqrt(2) ln(classes - 1)`, or follows the batches.
//!
//! # Source
//! Zhang et al., "AdaCos: Adaptively Scaling Cosine Logits for Effectively Learning Deep Face
//! Representations", 2019.

use burn::tensor::Tensor;
use ndarray::ArrayView2;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Centres, Loss, LossState, Matrix, ScaleRule, Task};
use super::scale::{Scale, adacos_scale};
use super::sphere::{cosines, soft_cross_entropy};

/// Settings of the AdaCos loss.
///
/// # Source
/// Zhang et al., "AdaCos: Adaptively Scaling Cosine Logits for Effectively Learning Deep Face
/// Representations", 2019.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaCosConfig {
    /// How the factor of the cosines is chosen. Default fixed: it cannot diverge.
    pub scale: ScaleRule,
    /// Whether the class centres learn. Default trainable, as in the AdaCos paper.
    pub centres: Centres,
}

impl Default for AdaCosConfig {
    fn default() -> Self {
        Self { scale: ScaleRule::Fixed, centres: Centres::Trainable }
    }
}

impl Loss for AdaCosConfig {
    fn train_centres(&mut self) {
        self.centres = Centres::Trainable;
    }

    fn scale(&self, task: Task) -> Option<Scale> {
        Some(Scale::new(self.scale, task.classes))
    }

    fn proposed_scale(&self, scale: f64, cosines: ArrayView2<f32>, labels: ArrayView2<f32>) -> f64 {
        adacos_scale(scale, cosines, labels)
    }

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        vec![Matrix::centres(self.centres, task.dims, task.classes, seed.child("centres"))]
    }

    fn cosines(&self, state: &LossState, embeddings: Tensor<2>) -> Tensor<2> {
        cosines(embeddings, state.unit_centres())
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        soft_cross_entropy(self.cosines(state, embeddings) * state.scale(), labels)
    }
}
