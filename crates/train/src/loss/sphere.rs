//! The unit sphere: normalising, cosines, and the cross-entropy of a softmax with soft labels.

use burn::tensor::{Bool, Int, Tensor, activation};
use ndarray::Array2;

/// Below this squared length a vector counts as zero: it has no direction and gets no gradient, where
/// dividing by its length would give one a trillion times too long.
const LEAST_SQUARED_LENGTH: f64 = 1e-24;

/// The vectors along `dim`, each divided by its length; zeros stay.
pub(super) fn normalize(vectors: Tensor<2>, dim: usize) -> Tensor<2> {
    let shape = vectors.dims();
    let squared_length = vectors.clone().square().sum_dim(dim);
    let is_zero = squared_length.clone().detach().lower_elem(LEAST_SQUARED_LENGTH);
    let directions = vectors / squared_length.clamp_min(LEAST_SQUARED_LENGTH).sqrt();
    directions.mask_fill(is_zero.expand(shape), 0.0)
}

/// Cosines between embeddings and centres.
///
/// # Shapes
/// `embeddings`: `[clips, dims]`, any length; `unit_centres`: `[dims, centres]`, unit columns;
/// result: `[clips, centres]`.
pub(super) fn cosines(embeddings: Tensor<2>, unit_centres: Tensor<2>) -> Tensor<2> {
    normalize(embeddings, 1).matmul(unit_centres)
}

/// Mean over the clips of `-sum_c y_c ln p_c`, the softmax `p` taken over the classes.
///
/// # Shapes
/// `logits`, `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn soft_cross_entropy(logits: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    mean_of_labelled(activation::log_softmax(logits, 1), labels).neg()
}

/// Mean over the clips of `sum_c y_c v_c`.
///
/// # Shapes
/// `values`, `labels`: `[clips, classes]`; result: `[1]`.
pub(super) fn mean_of_labelled(values: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let [clips, _] = values.dims();
    (values * labels).sum() / clips as f64
}

/// `ln sum exp` along the last dimension, with the largest exponent taken out so that nothing
/// overflows.
///
/// # Shapes
/// `exponents`: `[.., terms]`; result: `[.., 1]`.
pub(super) fn log_sum_exp<const D: usize>(exponents: Tensor<D>) -> Tensor<D> {
    let largest = exponents.clone().detach().max_dim(D - 1);
    (exponents - largest.clone()).exp().sum_dim(D - 1).log() + largest
}

/// Whether an entry is the largest of its row; of several equal ones the first.
///
/// # Shapes
/// `values`, result: `[rows, columns]`.
pub(super) fn largest_of_row(values: Tensor<2>) -> Tensor<2, Bool> {
    let [rows, columns] = values.dims();
    let largest_at = values.clone().detach().argmax(1).expand([rows, columns]);
    let column = Tensor::<1, Int>::arange(0..columns.cast_signed() as i64, &values.device());
    column.unsqueeze::<2>().expand([rows, columns]).equal(largest_at)
}

/// A matrix on the host.
pub(super) fn to_array(matrix: Tensor<2>) -> Array2<f32> {
    let [rows, columns] = matrix.dims();
    let values: Vec<f32> = matrix.into_data().iter::<f32>().collect();
    Array2::from_shape_vec((rows, columns), values)
        .expect("a tensor holds as many values as its shape says")
}
