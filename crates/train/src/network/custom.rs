//! A branch of another crate as a module: its matrices are trained, the rest is its own.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{Tensor, TensorData},
};
use ndarray::Array2;
use offkey_infer::CustomBranch;

use super::layers::{Maker, flat};
use crate::engine::Engine;

/// `[clips, rows, columns]` to `[clips, dims]`.
#[derive(Module, Debug)]
pub(crate) struct OutsideBranch {
    pub(crate) matrices: Vec<Param<Tensor<2>>>,
    #[module(skip)]
    engine: Engine,
}

impl OutsideBranch {
    pub(crate) fn new(
        branch: &Arc<dyn CustomBranch>,
        shape: (usize, usize),
        make: Maker<'_>,
    ) -> Self {
        let matrices = branch.matrices(shape, make.child("matrices").seed);
        let shapes = matrices.iter().map(Array2::dim).collect();
        let param = |matrix: Array2<f32>| {
            let (rows, columns) = matrix.dim();
            let values: Vec<f32> = matrix.into_iter().collect();
            Param::from_data(TensorData::new(values, [rows, columns]), make.device)
        };
        Self {
            matrices: matrices.into_iter().map(param).collect(),
            engine: Engine::custom(Arc::clone(branch), shape, shapes),
        }
    }

    pub(crate) fn forward(&self, features: Tensor<3>) -> Tensor<2> {
        let clips = features.dims()[0];
        let parameters = Tensor::cat(self.matrices.iter().map(flat).collect(), 0);
        self.engine.train(parameters, features.flatten(0, 2), clips).0
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}
