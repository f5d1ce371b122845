//! How unusual reconstruction errors are: Mahalanobis distances under the errors of training.
//!
//! Two scores are made of the same errors. The *official* one takes every frame of every window for
//! a sample: `m P m`, where `m` is the mean error of the clip's frames and `P` the inverse covariance
//! of the frames of training. That is what the challenge's baseline computes: it sums `d_i P d_j` over all
//! pairs of frames and divides by their number squared. The *windowed* one, ours, takes whole
//! windows for samples and averages `d P d` over them.

use ndarray::{Array2, ArrayView2};

/// Part of the mean variance added to every variance, so that the covariance of few or silent
/// windows can be inverted.
const RIDGE: f64 = 1e-6;

/// Inverse covariances of the errors of one domain's training clips.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Precisions {
    /// Of whole windows, `[inputs, inputs]`.
    pub(super) windows: Array2<f32>,
    /// Of frames, `[mels, mels]`; absent in models written before it was known.
    pub(super) frames: Option<Array2<f32>>,
}

impl Precisions {
    /// From the errors of all windows of some clips, each `[windows, inputs]`; absent with fewer
    /// than two windows.
    pub(super) fn of(
        clips: impl Iterator<Item = Array2<f32>>,
        inputs: usize,
        mels: usize,
    ) -> Option<Self> {
        let mut of_windows = ErrorSums::new(inputs);
        let mut of_frames = ErrorSums::new(mels);
        for errors in clips {
            of_windows.add(errors.view());
            of_frames.add(frames(&errors, mels));
        }
        let windows = of_windows.rows;
        if windows < 2 {
            return None;
        }
        let windowed = of_windows.covariance(windows as f64);
        // The baseline divides by the number of windows less one, though it sums over their frames.
        let official = of_frames.covariance((windows - 1) as f64);
        let frames = inverse(&official).or_else(|| inverse(&with_ridge(official)))?;
        Some(Self {
            windows: inverse(&with_ridge(windowed))?.mapv(|x| x as f32),
            frames: Some(frames.mapv(|x| x as f32)),
        })
    }

    /// Mean over windows of the squared Mahalanobis distance of their errors, `[windows, inputs]`.
    pub(super) fn windowed_distance(&self, errors: &Array2<f32>) -> f64 {
        let weighted = errors.dot(&self.windows);
        let products = weighted.iter().zip(errors).map(|(&a, &b)| f64::from(a) * f64::from(b));
        products.sum::<f64>() / errors.nrows().max(1) as f64
    }

    /// Squared Mahalanobis distance of the mean error of all frames.
    pub(super) fn official_distance(&self, errors: &Array2<f32>) -> Option<f64> {
        let precision = self.frames.as_ref()?;
        let frames = frames(errors, precision.nrows());
        let count = frames.nrows().max(1) as f64;
        let mean: Vec<f64> = (frames.columns().into_iter())
            .map(|column| column.iter().map(|&x| f64::from(x)).sum::<f64>() / count)
            .collect();
        let products = precision
            .indexed_iter()
            .map(|((row, column), &p)| mean[row] * f64::from(p) * mean[column]);
        Some(products.sum())
    }
}

/// Errors of windows, `[windows, inputs]`, frame by frame, `[windows * frames, mels]`.
fn frames(errors: &Array2<f32>, mels: usize) -> ArrayView2<'_, f32> {
    let rows = errors.len() / mels.max(1);
    errors.view().into_shape_with_order((rows, mels)).expect("a window is whole frames")
}

/// Sums that make a covariance.
struct ErrorSums {
    products: Array2<f64>,
    sums: Vec<f64>,
    rows: usize,
}

impl ErrorSums {
    fn new(width: usize) -> Self {
        Self { products: Array2::zeros((width, width)), sums: vec![0.0; width], rows: 0 }
    }

    /// Adds errors, one per row.
    fn add(&mut self, errors: ArrayView2<'_, f32>) {
        let errors = errors.mapv(f64::from);
        self.products += &errors.t().dot(&errors);
        for (sum, column) in self.sums.iter_mut().zip(errors.columns()) {
            *sum += column.sum();
        }
        self.rows += errors.nrows();
    }

    /// Sums of products of deviations from the mean, divided by `divisor`.
    fn covariance(&self, divisor: f64) -> Array2<f64> {
        let rows = self.rows as f64;
        let mut covariance = self.products.clone();
        for ((row, column), value) in covariance.indexed_iter_mut() {
            *value = (*value - self.sums[row] * self.sums[column] / rows) / divisor;
        }
        covariance
    }
}

fn with_ridge(mut covariance: Array2<f64>) -> Array2<f64> {
    let width = covariance.nrows().max(1) as f64;
    let ridge = (RIDGE * covariance.diag().sum() / width).max(f64::MIN_POSITIVE);
    covariance.diag_mut().mapv_inplace(|variance| variance + ridge);
    covariance
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
    use std::{fs, path::Path};

    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use ndarray::{Axis, array, concatenate};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        mels: usize,
        /// Errors of training clips, `[clips][windows][inputs]`.
        training: Vec<Vec<Vec<f32>>>,
        /// Of one test clip.
        test: Vec<Vec<f32>>,
        official: f64,
        windowed: f64,
    }

    fn matrix(rows: &[Vec<f32>]) -> Array2<f32> {
        let shape = (rows.len(), rows[0].len());
        Array2::from_shape_vec(shape, rows.concat()).expect("rows of equal length")
    }

    fn golden() -> Golden {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/residuals.json");
        let text = fs::read_to_string(path).expect("the golden file is part of the repository");
        serde_json::from_str(&text).expect("the golden file has the form its script writes")
    }

    #[test]
    fn both_scores_agree_with_the_independent_implementation() {
        let golden = golden();
        let training: Vec<Array2<f32>> = golden.training.iter().map(|clip| matrix(clip)).collect();
        let test = matrix(&golden.test);
        let precisions = Precisions::of(training.into_iter(), test.ncols(), golden.mels);
        let precisions = precisions.expect("enough windows");
        // Precisions are kept as f32.
        let official = precisions.official_distance(&test).expect("just fitted");
        assert_relative_eq!(official, golden.official, max_relative = 1e-4);
        let windowed = precisions.windowed_distance(&test);
        assert_relative_eq!(windowed, golden.windowed, max_relative = 1e-4);
    }

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
        let precisions = Precisions::of([errors.clone()].into_iter(), 2, 2).expect("four windows");
        // The mean of the squared distances from their own mean is the number of dimensions.
        assert_abs_diff_eq!(precisions.windowed_distance(&errors), 2.0, epsilon = 1e-4);
    }

    #[test]
    fn the_official_score_sees_no_errors_that_cancel_over_time() {
        let errors = array![[1.0_f32, 0.5], [-1.0, 0.5], [2.0, -2.0], [-2.0, 1.0]];
        let precisions = Precisions::of([errors.clone()].into_iter(), 2, 2).expect("four windows");
        let both = concatenate(Axis(0), &[errors.view(), (-&errors).view()]).expect("equal widths");
        let official = precisions.official_distance(&both).expect("just fitted");
        assert_abs_diff_eq!(official, 0.0, epsilon = 1e-9);
        assert!(precisions.windowed_distance(&both) > 1.0);
    }

    #[test]
    fn a_silent_band_is_no_obstacle() {
        let errors = array![[1.0_f32, 0.0], [-1.0, 0.0], [2.0, 0.0]];
        let precisions = Precisions::of([errors.clone()].into_iter(), 2, 2).expect("three windows");
        assert!(precisions.official_distance(&errors).expect("just fitted").is_finite());
        assert!(precisions.windowed_distance(&errors).is_finite());
    }
}
