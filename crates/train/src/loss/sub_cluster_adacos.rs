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
use ndarray::ArrayView2;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Centres, Loss, LossState, Matrix, ScaleRule, Setting, Task, sub_clusters};
use super::scale::{Scale, sub_cluster_scale};
use super::sphere::{cosines, log_sum_exp, soft_cross_entropy};

/// Settings of the sub-cluster AdaCos loss.
///
/// # Source
/// Wilkinghoff, "Sub-Cluster AdaCos: Learning Representations for Anomalous Sound Detection",
/// 2021.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubClusterAdaCosConfig {
    /// Centres per class. Default 16, as in the paper's system.
    pub sub_clusters: usize,
    /// How the factor of the cosines is chosen. Default fixed: it cannot diverge.
    pub scale: ScaleRule,
    /// Whether the centres learn. Default fixed, as the paper's theory has them.
    pub centres: Centres,
}

impl Default for SubClusterAdaCosConfig {
    fn default() -> Self {
        Self { sub_clusters: 16, scale: ScaleRule::Fixed, centres: Centres::Fixed }
    }
}

impl Loss for SubClusterAdaCosConfig {
    fn settings(&self) -> Vec<Setting> {
        sub_clusters(self.sub_clusters)
    }

    fn train_centres(&mut self) {
        self.centres = Centres::Trainable;
    }

    fn scale(&self, task: Task) -> Option<Scale> {
        Some(Scale::new(self.scale, task.classes * self.sub_clusters))
    }

    fn proposed_scale(&self, scale: f64, cosines: ArrayView2<f32>, labels: ArrayView2<f32>) -> f64 {
        sub_cluster_scale(scale, cosines, labels)
    }

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        let count = task.classes * self.sub_clusters;
        vec![Matrix::centres(self.centres, task.dims, count, seed.child("centres"))]
    }

    fn cosines(&self, state: &LossState, embeddings: Tensor<2>) -> Tensor<2> {
        cosines(embeddings, state.unit_centres())
    }

    /// The logit of a class is `ln sum_m exp(s cos_m)`, so that a softmax over the classes' logits
    /// gives the summed probabilities.
    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let cosines = self.cosines(state, embeddings);
        let [clips, centres] = cosines.dims();
        let classes = centres / self.sub_clusters;
        let logits = (cosines * state.scale()).reshape([clips, classes, self.sub_clusters]);
        soft_cross_entropy(log_sum_exp(logits).squeeze_dim::<2>(2), labels)
    }
}
