//! The little dense algebra that covariances need, in double precision.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

/// A covariance's Cholesky factor, inverted: it maps vectors to where they are white.
#[derive(Debug, Clone)]
pub(crate) struct Whitening {
    mean: Array1<f64>,
    /// Inverse of the lower factor, `[dims, dims]`, zero above the diagonal.
    inverse_factor: Array2<f64>,
    /// Logarithm of the covariance's determinant.
    pub(crate) log_determinant: f64,
}

impl Whitening {
    /// Of a positive definite covariance; none where it is not.
    pub(crate) fn new(mean: Array1<f64>, covariance: &Array2<f64>) -> Option<Self> {
        let factor = cholesky(covariance)?;
        let log_determinant = 2.0 * factor.diag().iter().map(|value| value.ln()).sum::<f64>();
        Some(Self { mean, inverse_factor: invert_lower(&factor), log_determinant })
    }

    /// The whitened vector; its squared length is the squared Mahalanobis distance to the mean.
    pub(crate) fn map(&self, vector: ArrayView1<f32>) -> Array1<f64> {
        let centred = vector.mapv(f64::from) - &self.mean;
        let dot =
            |row: usize| self.inverse_factor.slice(s![row, ..=row]).dot(&centred.slice(s![..=row]));
        (0..centred.len()).map(dot).collect()
    }

    /// Squared Mahalanobis distance to the mean.
    pub(crate) fn squared_distance(&self, vector: ArrayView1<f32>) -> f64 {
        let white = self.map(vector);
        white.dot(&white)
    }

    /// Squared Mahalanobis distances of many points at once, `[clips]`; may differ from
    /// [`Whitening::squared_distance`] in the last bits.
    pub(crate) fn squared_distances(&self, points: ArrayView2<f64>) -> Array1<f64> {
        let white = (&points - &self.mean).dot(&self.inverse_factor.t());
        (&white * &white).sum_axis(Axis(1))
    }
}

/// Mean of the rows.
pub(crate) fn mean(points: ArrayView2<f64>) -> Array1<f64> {
    points.sum_axis(Axis(0)) / points.nrows() as f64
}

/// Deviation of each dimension of rows that are centred already; divides by their number.
pub(crate) fn deviation(centred: ArrayView2<f64>) -> Array1<f64> {
    let mut sums = Array1::<f64>::zeros(centred.ncols());
    for row in centred.rows() {
        sums.zip_mut_with(&row, |sum, value| *sum += value * value);
    }
    sums.mapv(|sum| (sum / centred.nrows() as f64).sqrt())
}

/// Ledoit-Wolf covariance of rows that are centred already: the empirical one shrunk towards a
/// multiple of the identity by the amount that minimises the expected squared error.
///
/// Positive definite always: where all rows are zero it is the identity.
///
/// # Source
/// Ledoit and Wolf 2004. Golden: testdata/golden/backends.json (scikit-learn).
pub(crate) fn ledoit_wolf(centred: ArrayView2<f64>) -> Array2<f64> {
    let (clips, dims) = (centred.nrows() as f64, centred.ncols());
    let empirical = centred.t().dot(&centred) / clips;
    let scale = empirical.diag().sum() / dims as f64;
    if scale <= 0.0 {
        return Array2::eye(dims);
    }
    let norm_squared = empirical.iter().map(|value| value * value).sum::<f64>();
    let fourth_moments: f64 =
        centred.rows().into_iter().map(|row| row.dot(&row).powi(2)).sum::<f64>() / clips;
    let dispersion = norm_squared - dims as f64 * scale * scale;
    let noise = ((fourth_moments - norm_squared) / clips).min(dispersion);
    let shrinkage = if dispersion > 0.0 { (noise / dispersion).clamp(0.0, 1.0) } else { 1.0 };
    shrink(empirical, scale, shrinkage)
}

/// `(1 - shrinkage) covariance + shrinkage scale identity`, never without a trace of the identity.
fn shrink(covariance: Array2<f64>, scale: f64, shrinkage: f64) -> Array2<f64> {
    // Below this share of the mean variance a direction is rounding, not data.
    const LEAST_SHRINKAGE: f64 = 1e-9;
    let shrinkage = shrinkage.max(LEAST_SHRINKAGE);
    let mut shrunk = covariance * (1.0 - shrinkage);
    shrunk.diag_mut().mapv_inplace(|value| value + shrinkage * scale);
    shrunk
}

/// Lower Cholesky factor; none where the matrix is not positive definite.
pub(crate) fn cholesky(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let dims = matrix.nrows();
    let mut factor = Array2::<f64>::zeros((dims, dims));
    for row in 0..dims {
        for column in 0..=row {
            let dot: f64 = {
                let (left, right) = (factor.row(row), factor.row(column));
                left.iter().zip(right).take(column).map(|(a, b)| a * b).sum()
            };
            let rest = matrix[[row, column]] - dot;
            if row == column {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                factor[[row, column]] = rest.sqrt();
            } else {
                factor[[row, column]] = rest / factor[[column, column]];
            }
        }
    }
    Some(factor)
}

/// Inverse of a lower triangular matrix with a positive diagonal.
pub(crate) fn invert_lower(factor: &Array2<f64>) -> Array2<f64> {
    let dims = factor.nrows();
    let mut inverse = Array2::<f64>::zeros((dims, dims));
    for row in 0..dims {
        let mut sums = Array1::<f64>::zeros(dims);
        for inner in 0..row {
            sums.scaled_add(factor[[row, inner]], &inverse.row(inner));
        }
        sums.mapv_inplace(|value| -value);
        sums[row] += 1.0;
        inverse.row_mut(row).assign(&(sums / factor[[row, row]]));
    }
    inverse
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn factor_times_its_transpose_is_the_matrix_and_its_inverse_undoes_it() {
        let matrix = array![[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];
        let factor = cholesky(&matrix).expect("positive definite");
        let error = (&factor.dot(&factor.t()) - &matrix).mapv(f64::abs).sum();
        assert!(error < 1e-12, "{error}");
        let identity = factor.dot(&invert_lower(&factor));
        assert!((&identity - &Array2::<f64>::eye(3)).mapv(f64::abs).sum() < 1e-12);
    }

    #[test]
    fn an_indefinite_matrix_has_no_factor() {
        assert!(cholesky(&array![[1.0, 2.0], [2.0, 1.0]]).is_none());
        assert!(cholesky(&array![[f64::NAN]]).is_none());
    }

    #[test]
    fn the_covariance_of_nothing_but_zeros_is_the_identity() {
        assert_eq!(ledoit_wolf(Array2::zeros((5, 3)).view()), Array2::<f64>::eye(3));
    }

    #[test]
    fn a_single_row_still_gives_a_positive_definite_covariance() {
        let covariance = ledoit_wolf(array![[1.0, -2.0, 0.5]].view());
        assert!(cholesky(&covariance).is_some());
    }
}
