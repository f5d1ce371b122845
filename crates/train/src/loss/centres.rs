//! Centres of classes, as columns of a matrix, drawn from the seed; fixed or trainable.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::Array2;
use offkey_core::Seed;
use rand::RngExt;

use super::config::Centres;
use super::sphere::normalize;

/// A matrix `[dims, centres]`, one centre a column, class-major.
///
/// Fixed centres have unit columns from the start; trainable ones are normalised wherever their
/// directions are asked for.
#[derive(Module, Debug)]
pub(super) struct CentreColumns {
    pub(super) matrix: Param<Tensor<2>>,
    #[module(skip)]
    rule: Centres,
}

impl CentreColumns {
    /// Columns with Glorot-uniform entries, `U(-a, a)` with `a = sqrt(6 / (dims + count))`,
    /// scaled to unit length.
    pub(super) fn draw(
        rule: Centres,
        dims: usize,
        count: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let mut matrix = glorot_uniform(dims, count, seed);
        for mut column in matrix.columns_mut() {
            let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
            column /= length.max(f64::MIN_POSITIVE);
        }
        Self::from_array(rule, &matrix, device)
    }

    /// Given columns.
    pub(super) fn from_array(rule: Centres, matrix: &Array2<f64>, device: &Device) -> Self {
        Self { matrix: matrix_param(matrix, rule, device), rule }
    }

    /// The columns as they are.
    pub(super) fn columns(&self) -> Tensor<2> {
        self.matrix.val()
    }

    /// The columns' directions.
    pub(super) fn unit(&self) -> Tensor<2> {
        match self.rule {
            Centres::Fixed => self.columns(),
            Centres::Trainable => normalize(self.columns(), 0),
        }
    }
}

/// `[rows, columns]` values of `U(-a, a)`, `a = sqrt(6 / (rows + columns))`.
pub(super) fn glorot_uniform(rows: usize, columns: usize, seed: Seed) -> Array2<f64> {
    let bound = (6.0 / (rows + columns) as f64).sqrt();
    let mut rng = seed.rng();
    Array2::from_shape_simple_fn((rows, columns), || bound * (2.0 * rng.random::<f64>() - 1.0))
}

/// A parameter that holds a matrix and learns, or does not.
pub(super) fn matrix_param(
    matrix: &Array2<f64>,
    rule: Centres,
    device: &Device,
) -> Param<Tensor<2>> {
    let values: Vec<f32> = matrix.iter().map(|&x| x as f32).collect();
    let data = TensorData::new(values, [matrix.nrows(), matrix.ncols()]);
    let tensor = Tensor::from_data(data, device);
    Param::initialized(ParamId::new(), tensor).set_require_grad(rule == Centres::Trainable)
}
