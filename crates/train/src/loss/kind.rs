//! What a loss is: its settings are a type that implements [`Loss`], in a file of its own.

use std::sync::Arc;

use burn::{
    module::{Module, Param, ParamId},
    tensor::{Device, Tensor, TensorData},
};
use ndarray::{Array2, ArrayView2};
use offkey_core::Seed;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::scale::Scale;
pub use super::scale::ScaleRule;
use super::sphere::{normalize, to_array};

/// Whether the centres, or the columns of a linear layer, learn along with the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centres {
    /// Drawn once from the seed and never changed.
    Fixed,
    /// Drawn from the seed and trained.
    Trainable,
}

/// Name, value, least and largest sensible value of a numeric setting.
pub(crate) type Setting = (&'static str, f64, f64, f64);

/// The auxiliary task a loss is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task {
    /// Length of an embedding.
    pub(crate) dims: usize,
    pub(crate) classes: usize,
}

/// A loss. What it does not define is as for most.
///
/// Embeddings come un-normalised, `[clips, dims]`; labels are soft, `[clips, classes]`, each row of
/// sum 1; a loss is the mean over the clips, `[1]`.
pub(crate) trait Loss: std::fmt::Debug + Send + Sync {
    /// Whether it tells classes apart, so that with fewer than two it is constant and nothing could
    /// be learnt.
    fn needs_classes(&self) -> bool {
        true
    }

    /// Its numeric settings, to be checked.
    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    /// Lets the centres learn, as the additional head of the exchanges of
    /// [`SelfSupervision`](crate::SelfSupervision) wants it.
    fn train_centres(&mut self);

    /// The factor in front of its cosines, where it has one.
    fn scale(&self, task: Task) -> Option<Scale> {
        let _ = task;
        None
    }

    /// What a dynamic scale moves to after a batch with these cosines.
    fn proposed_scale(&self, scale: f64, cosines: ArrayView2<f32>, labels: ArrayView2<f32>) -> f64 {
        let _ = (cosines, labels);
        scale
    }

    /// The cosines that [`Loss::proposed_scale`] looks at.
    fn cosines(&self, state: &LossState, embeddings: Tensor<2>) -> Tensor<2> {
        let _ = state;
        embeddings
    }

    /// What it begins with, drawn from the seed.
    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix>;

    /// The mean loss of a batch.
    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1>;

    /// The centres that embeddings are drawn to, as columns, class-major; none where there are no
    /// centres per class.
    fn class_centres(&self, state: &LossState) -> Option<Tensor<2>> {
        Some(state.unit_centres())
    }
}

/// The setting of losses with several centres per class.
pub(super) fn sub_clusters(count: usize) -> Vec<Setting> {
    vec![("sub_clusters", count as f64, 1.0, 4096.0)]
}

/// A matrix `[dims, columns]` that a loss begins with.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    pub(crate) values: Array2<f64>,
    pub(crate) rule: Centres,
}

impl Matrix {
    /// Centres as columns, class-major: Glorot-uniform entries, scaled to unit length. Fixed ones
    /// stay so; trainable ones are normalised wherever their directions are asked for.
    pub(super) fn centres(rule: Centres, dims: usize, count: usize, seed: Seed) -> Self {
        let mut values = glorot_uniform(dims, count, seed);
        for mut column in values.columns_mut() {
            let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
            column /= length.max(f64::MIN_POSITIVE);
        }
        Self { values, rule }
    }

    /// A linear layer, which always learns.
    pub(super) fn linear(dims: usize, count: usize, seed: Seed) -> Self {
        Self { values: glorot_uniform(dims, count, seed), rule: Centres::Trainable }
    }
}

/// `[rows, columns]` values of `U(-a, a)`, `a = sqrt(6 / (rows + columns))`.
fn glorot_uniform(rows: usize, columns: usize, seed: Seed) -> Array2<f64> {
    let bound = (6.0 / (rows + columns) as f64).sqrt();
    let mut rng = seed.rng();
    Array2::from_shape_simple_fn((rows, columns), || bound * (2.0 * rng.random::<f64>() - 1.0))
}

/// What training changes of a loss: its matrices and its scale.
///
/// Fixed matrices are parameters that require no gradient, so that they are saved and loaded like
/// the others and never stepped.
#[derive(Module, Debug)]
pub(crate) struct LossState {
    pub(super) matrices: Vec<Param<Tensor<2>>>,
    #[module(skip)]
    rules: Vec<Centres>,
    #[module(skip)]
    pub(super) scale: Option<Scale>,
}

impl LossState {
    fn new(loss: &dyn Loss, task: Task, seed: Seed, device: &Device) -> Self {
        let matrices = loss.matrices(task, seed);
        Self {
            rules: matrices.iter().map(|matrix| matrix.rule).collect(),
            matrices: matrices.iter().map(|matrix| parameter(matrix, device)).collect(),
            scale: loss.scale(task),
        }
    }

    /// A matrix as it is.
    pub(super) fn matrix(&self, index: usize) -> Tensor<2> {
        self.matrices[index].val()
    }

    /// The columns of the first matrix, each of length one.
    pub(super) fn unit_centres(&self) -> Tensor<2> {
        match self.rules[0] {
            Centres::Fixed => self.matrix(0),
            Centres::Trainable => normalize(self.matrix(0), 0),
        }
    }

    /// The present factor in front of the cosines.
    pub(super) fn scale(&self) -> f64 {
        self.scale.map_or(1.0, Scale::value)
    }
}

fn parameter(Matrix { values, rule }: &Matrix, device: &Device) -> Param<Tensor<2>> {
    let numbers: Vec<f32> = values.iter().map(|&x| x as f32).collect();
    let data = TensorData::new(numbers, [values.nrows(), values.ncols()]);
    let tensor = Tensor::from_data(data, device);
    Param::initialized(ParamId::new(), tensor).set_require_grad(*rule == Centres::Trainable)
}

/// A loss ready for training.
#[derive(Module, Debug)]
pub(crate) struct LossHead {
    pub(super) state: LossState,
    #[module(skip)]
    loss: Arc<dyn Loss>,
}

impl LossHead {
    /// The loss for a task that it has been checked for; what it draws at random comes from `seed`
    /// alone.
    pub(super) fn new(loss: Arc<dyn Loss>, task: Task, seed: Seed, device: &Device) -> Self {
        Self { state: LossState::new(&*loss, task, seed, device), loss }
    }

    /// The mean loss of a training batch; a dynamic scale is adapted to the batch first.
    ///
    /// # Shapes
    /// `embeddings`: `[clips, dims]`, un-normalised; `labels`: `[clips, classes]`, soft, each row
    /// of sum 1; result: `[1]`.
    pub(crate) fn training_loss(&mut self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        if let Some(mut scale) = self.state.scale.filter(|scale| scale.is_dynamic()) {
            let cosines = to_array(self.loss.cosines(&self.state, embeddings.clone()));
            let wanted = to_array(labels.clone());
            let proposed = self.loss.proposed_scale(scale.value(), cosines.view(), wanted.view());
            scale.follow(proposed);
            self.state.scale = Some(scale);
        }
        self.loss(embeddings, labels)
    }

    /// The mean loss of a batch at the present scale, as for held-out clips; shapes as
    /// [`training_loss`](Self::training_loss).
    pub(crate) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        self.loss.loss(&self.state, embeddings, labels)
    }

    /// The present factor in front of the cosines; none where the loss has none.
    pub(crate) fn scale(&self) -> Option<f64> {
        self.state.scale.map(Scale::value)
    }

    /// Puts back a dynamic scale read by [`scale`](Self::scale), as a checkpoint does; without
    /// effect on losses whose scale never changes.
    pub(crate) fn restore_scale(&mut self, value: f64) {
        if let Some(scale) = &mut self.state.scale {
            scale.restore(value);
        }
    }

    /// The centres `[classes * sub_clusters, dims]` that embeddings are drawn to, class-major and
    /// on the unit sphere unless the loss is un-normalised; none where the loss has no centres
    /// per class.
    pub(crate) fn class_centres(&self) -> Option<Array2<f32>> {
        self.loss.class_centres(&self.state).map(|columns| to_array(columns.transpose()))
    }
}
