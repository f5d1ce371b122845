//! How unusual a reconstruction error is: Mahalanobis distances under the errors of training.

use ndarray::{Array2, ArrayView2};

/// Part of the mean variance added to every variance, so that the covariance of few or silent
/// windows can be inverted.
const RIDGE: f64 = 1e-6;

/// Sums that make a covariance, window by window.
pub(super) struct ErrorSums {
    products: Array2<f64>,
    sums: Vec<f64>,
    windows: usize,
}

impl ErrorSums {
    pub(super) fn new(inputs: usize) -> Self {
        Self { products: Array2::zeros((inputs, inputs)), sums: vec![0.0; inputs], windows: 0 }
    }

    /// Adds reconstruction errors, `[windows, inputs]`.
    pub(super) fn add(&mut self, errors: ArrayView2<'_, f32>) {
        let errors = errors.mapv(f64::from);
        self.products += &errors.t().dot(&errors);
        for (sum, column) in self.sums.iter_mut().zip(errors.columns()) {
            *sum += column.sum();
        }
        self.windows += errors.nrows();
    }

    /// Inverse covariance of the errors; absent without windows.
    pub(super) fn precision(&self) -> Option<Array2<f32>> {
        if self.windows < 2 {
            return None;
        }
        let count = self.windows as f64;
        let mut covariance = self.products.clone() / count;
        for ((row, column), value) in covariance.indexed_iter_mut() {
            *value -= self.sums[row] / count * self.sums[column] / count;
        }
        let inputs = self.sums.len();
        let ridge = (RIDGE * covariance.diag().sum() / inputs as f64).max(f64::MIN_POSITIVE);
        covariance.diag_mut().mapv_inplace(|variance| variance + ridge);
        inverse(&covariance).map(|precision| precision.mapv(|x| x as f32))
    }
}

/// Mean over windows of the squared Mahalanobis distance of their errors.
pub(super) fn mean_distance(errors: &Array2<f32>, precision: &Array2<f32>) -> f64 {
    let weighted = errors.dot(precision);
    let products = weighted.iter().zip(errors).map(|(&a, &b)| f64::from(a) * f64::from(b));
    products.sum::<f64>() / errors.nrows().max(1) as f64
}

/// Inverse of a symmetric positive definite matrix by Cholesky's factors; absent for another.
fn inverse(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let size = matrix.nrows();
    let mut lower = Array2::<f64>::zeros((size, size));
    for row in 0..size {
        for column in 0..=row {
            let (a, b) = (lower.row(row), lower.row(column));
            let rest = matrix[(row, column)]
                - a.iter().zip(b).take(column).map(|(x, y)| x * y).sum::<f64>();
            lower[(row, column)] = if row == column {
                if rest <= 0.0 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / lower[(column, column)]
            };
        }
    }
    // Rows of the factor's inverse, transposed so that each is contiguous.
    let mut inverse_lower = Array2::<f64>::zeros((size, size));
    for column in 0..size {
        for row in column..size {
            let known = (column..row).map(|k| lower[(row, k)] * inverse_lower[(column, k)]);
            let unit = if row == column { 1.0 } else { 0.0 };
            inverse_lower[(column, row)] = (unit - known.sum::<f64>()) / lower[(row, row)];
        }
    }
    Some(inverse_lower.dot(&inverse_lower.t()))
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let matrix = array![[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]];
        let product = matrix.dot(&inverse(&matrix).expect("it is positive definite"));
        for (found, expected) in product.iter().zip(&Array2::eye(3)) {
            assert_abs_diff_eq!(found, expected, epsilon = 1e-12);
        }
        assert_eq!(inverse(&array![[1.0, 2.0], [2.0, 1.0]]), None);
    }

    #[test]
    fn the_training_errors_themselves_are_as_far_as_they_have_dimensions() {
        let errors = array![[1.0_f32, 0.5], [-1.0, 0.5], [2.0, -2.0], [-2.0, 1.0]];
        let mut sums = ErrorSums::new(2);
        sums.add(errors.view());
        let precision = sums.precision().expect("four windows");
        // The mean of the squared distances from their own mean is the number of dimensions.
        assert_abs_diff_eq!(mean_distance(&errors, &precision), 2.0, epsilon = 1e-4);
    }
}
