//! Losses from outside of this crate: plain arrays in, value and gradients out.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use ndarray::{Array2, ArrayView2};
use offkey_core::{Registry, Seed};

use super::LossError;
use super::kind::{Centres, Loss, LossState, Matrix, Task};
use super::sphere::to_array;

/// A loss from outside. Embeddings come un-normalised, `[clips, dims]`; labels are soft,
/// `[clips, classes]`, each row of sum 1.
pub trait CustomLoss: std::fmt::Debug + Send + Sync {
    /// Whether it tells classes apart, so that it needs two of them.
    fn needs_classes(&self) -> bool {
        true
    }

    /// Matrices that learn along with the encoder, as they begin; all that is drawn at random comes
    /// from `seed`. None where the loss has nothing to learn.
    fn matrices(&self, dims: usize, classes: usize, seed: Seed) -> Vec<Array2<f32>> {
        let _ = (dims, classes, seed);
        Vec::new()
    }

    /// The mean loss of a batch, and its gradients.
    fn evaluate(
        &self,
        matrices: &[Array2<f32>],
        embeddings: ArrayView2<'_, f32>,
        labels: ArrayView2<'_, f32>,
    ) -> LossValue;
}

/// A mean loss and where it falls.
#[derive(Debug, Clone, PartialEq)]
pub struct LossValue {
    /// Mean over the clips.
    pub loss: f32,
    /// Its derivatives by the embeddings, `[clips, dims]`.
    pub by_embeddings: Array2<f32>,
    /// Its derivatives by each of the loss's matrices, of their shapes.
    pub by_matrices: Vec<Array2<f32>>,
}

/// Losses from outside by the name that recipes give them, as in `custom = "NAME"`.
pub type LossRegistry = Registry<dyn CustomLoss>;

pub(super) fn find(registry: &LossRegistry, name: &str) -> Result<Arc<dyn Loss>, LossError> {
    match registry.get(name) {
        Some(loss) => Ok(Arc::new(FromOutside(loss))),
        None => Err(LossError::Unknown {
            loss: name.to_owned(),
            known: registry.names().map(|name| format!("`{name}`")).collect(),
        }),
    }
}

/// A loss from outside as one of ours.
#[derive(Debug)]
struct FromOutside(Arc<dyn CustomLoss>);

impl Loss for FromOutside {
    fn needs_classes(&self) -> bool {
        self.0.needs_classes()
    }

    /// Its matrices always learn.
    fn train_centres(&mut self) {}

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        let matrices = self.0.matrices(task.dims, task.classes, seed.child("matrices"));
        let matrix = |values: Array2<f32>| Matrix {
            values: values.mapv(f64::from),
            rule: Centres::Trainable,
        };
        matrices.into_iter().map(matrix).collect()
    }

    /// The value, with the gradients that the loss says it has: `value + sum g (x - x)`, whose
    /// derivative by `x` is `g`.
    fn loss(&self, state: &LossState, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let device = embeddings.device();
        let matrices: Vec<Tensor<2>> = (0..state.matrices.len()).map(|i| state.matrix(i)).collect();
        let seen: Vec<Array2<f32>> =
            matrices.iter().map(|matrix| to_array(matrix.clone().detach())).collect();
        let (x, y) = (to_array(embeddings.clone().detach()), to_array(labels));
        let LossValue { loss, by_embeddings, by_matrices } =
            self.0.evaluate(&seen, x.view(), y.view());
        let pull = |x: Tensor<2>, gradient: Array2<f32>| {
            let shape = [gradient.nrows(), gradient.ncols()];
            let values: Vec<f32> = gradient.iter().copied().collect();
            let gradient = Tensor::from_data(TensorData::new(values, shape), &device);
            ((x.clone() - x.detach()) * gradient).sum()
        };
        let value: Tensor<1> = Tensor::from_data(TensorData::new(vec![loss], [1]), &device);
        let pulled = value + pull(embeddings, by_embeddings);
        let by_matrices = matrices.into_iter().zip(by_matrices);
        by_matrices.fold(pulled, |sum, (matrix, gradient)| sum + pull(matrix, gradient))
    }

    /// What its matrices mean is not known here.
    fn class_centres(&self, _state: &LossState) -> Option<Tensor<2>> {
        None
    }
}
