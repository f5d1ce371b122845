//! AdaProj: a class is a subspace, and an embedding is compared with its own projection on it.
//!
//! With `t_c = sum_m <e, w_cm> w_cm`, the cosine of class `c` is `<e, t_c> / ||t_c||`; the loss is
//! the cross-entropy of `softmax(s cos)`.
//!
//! # Source
//! Wilkinghoff, "AdaProj: Adaptively Scaled Angular Margin Subspace Projections for Anomalous
//! Sound Detection with Auxiliary Classification Tasks", 2024.

use burn::tensor::Tensor;
use ndarray::ArrayView2;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Centres, Loss, LossState, Matrix, ScaleRule, Setting, Task, sub_clusters};
use super::scale::{Scale, adaproj_scale};
use super::sphere::{cosines, soft_cross_entropy};

/// An embedding orthogonal to a whole subspace projects to zero: its cosine counts as zero.
const LEAST_SQUARED_PROJECTION: f64 = 1e-24;

/// Settings of the AdaProj loss.
///
/// # Source
/// Wilkinghoff, "AdaProj: Adaptively Scaled Angular Margin Subspace Projections for Anomalous
/// Sound Detection with Auxiliary Classification Tasks", 2024.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaProjConfig {
    /// Vectors that span each class's subspace. Default 16: our choice, that of the paper's
    /// sub-clusters.
    pub sub_clusters: usize,
    /// How the factor of the cosines is chosen. Default fixed: it cannot diverge.
    pub scale: ScaleRule,
    /// Whether the vectors learn. Default fixed: our choice, that of sub-cluster AdaCos.
    pub centres: Centres,
}

impl Default for AdaProjConfig {
    fn default() -> Self {
        Self { sub_clusters: 16, scale: ScaleRule::Fixed, centres: Centres::Fixed }
    }
}

impl Loss for AdaProjConfig {
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
        adaproj_scale(scale, cosines, labels)
    }

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        let count = task.classes * self.sub_clusters;
        vec![Matrix::centres(self.centres, task.dims, count, seed.child("centres"))]
    }

    /// `<e, n_c>` for every clip and class: with `a_m = <e, w_cm>` and the class's Gram matrix
    /// `G`, `<e, t_c> = |a|^2` and `||t_c||^2 = a G a`, so that no projection is ever written out.
    fn cosines(&self, state: &LossState, embeddings: Tensor<2>) -> Tensor<2> {
        let vectors = state.unit_centres();
        let [dims, count] = vectors.dims();
        let (clips, classes) = (embeddings.dims()[0], count / self.sub_clusters);

        let products = cosines(embeddings, vectors.clone())
            .reshape([clips, classes, self.sub_clusters])
            .swap_dims(0, 1);
        let by_class = vectors.reshape([dims, classes, self.sub_clusters]).permute([1, 0, 2]);
        let gram = by_class.clone().swap_dims(1, 2).matmul(by_class);

        let along = products.clone().square().sum_dim(2);
        let squared_lengths = (products.clone().matmul(gram) * products).sum_dim(2);
        let lengths = squared_lengths.clamp_min(LEAST_SQUARED_PROJECTION).sqrt();
        (along / lengths).squeeze_dim::<2>(2).transpose()
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        soft_cross_entropy(self.cosines(state, embeddings) * state.scale(), labels)
    }

    /// The vectors span subspaces, and no embedding is drawn to one of them.
    fn class_centres(&self, _state: &LossState) -> Option<Tensor<2>> {
        None
    }
}
