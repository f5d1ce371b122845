//! A Gaussian fitted to few points of many dimensions, in the smaller of two spaces.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::{
    backend::FittedBackend,
    linalg::{cholesky, deviation, invert_lower, mean},
};

/// Added to the diagonal of the shrunk covariance, in units of the standardised dimensions.
const RIDGE: f64 = 1e-3;
/// Below this share of the mean variance a direction is rounding, not data.
const LEAST_SHRINKAGE: f64 = 1e-9;

/// Standardised dimensions with a shrunk covariance.
#[derive(Debug, Clone)]
pub(crate) struct ShrunkGaussian {
    mean: Array1<f64>,
    /// What a dimension is multiplied by.
    weights: Array1<f64>,
    precision: Precision,
}

/// The inverse `P` of `ridge I + share X'X`, where `X` (`[references, dims]`) are the
/// standardised references.
#[derive(Debug, Clone)]
enum Precision {
    /// With fewer references than dimensions, by Woodbury's identity:
    /// `d' P d = (d'd - |R d|^2) / ridge` with `R` of `[references, dims]`.
    References { rows: Array2<f64>, ridge: f64 },
    /// Otherwise the inverted lower Cholesky factor `F`: `d' P d = |F d|^2`. Its rows one after the other, each up to
    /// the diagonal: a detector holds one per recording, and half of the square would be zeros.
    Dimensions(Vec<f64>),
}

impl ShrunkGaussian {
    /// Fits to references, `[references, dims]`; a dimension is divided by its deviation, but by
    /// `floor` at least.
    ///
    /// # Source
    /// Ledoit and Wolf 2004. Golden: `testdata/golden/few_references.json` (numpy).
    pub(crate) fn fit(references: ArrayView2<f32>, floor: f64) -> Self {
        let mut points = references.mapv(f64::from);
        let mean = mean(points.view());
        points -= &mean;
        let weights = deviation(points.view()).mapv(|value| 1.0 / value.max(floor));
        points *= &weights;
        let precision = Precision::of(points);
        Self { mean, weights, precision }
    }

    fn distance(&self, embedding: ArrayView1<f32>) -> f64 {
        let mut point = embedding.mapv(f64::from);
        point -= &self.mean;
        point *= &self.weights;
        (self.precision.form(&point) / point.len() as f64).sqrt()
    }
}

impl FittedBackend for ShrunkGaussian {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let rows = embeddings.axis_iter(Axis(0)).into_par_iter();
        rows.map(|embedding| self.distance(embedding)).collect()
    }
}

impl Precision {
    fn of(points: Array2<f64>) -> Self {
        let (references, dims) = points.dim();
        let dual = references < dims;
        let products = if dual { points.dot(&points.t()) } else { points.t().dot(&points) };
        let (shrinkage, scale) = shrinkage(&points, &products);
        let ridge = shrinkage * scale + RIDGE;
        let share = (1.0 - shrinkage) / references as f64;
        if !dual {
            let mut covariance = products * share;
            covariance.diag_mut().mapv_inplace(|value| value + ridge);
            let inverse = invert_lower(&factor(&covariance));
            let mut packed = Vec::with_capacity(dims * (dims + 1) / 2);
            for (row, values) in inverse.rows().into_iter().enumerate() {
                packed.extend(values.iter().take(row + 1));
            }
            return Self::Dimensions(packed);
        }
        if share <= 0.0 {
            return Self::References { rows: Array2::zeros((0, dims)), ridge };
        }
        let mut inner = products;
        inner.diag_mut().mapv_inplace(|value| value + ridge / share);
        Self::References { rows: solve_lower(&factor(&inner), points), ridge }
    }

    /// `d' P d`.
    fn form(&self, point: &Array1<f64>) -> f64 {
        match self {
            Self::References { rows, ridge } => {
                let explained: f64 =
                    rows.rows().into_iter().map(|row| dot(row, point).powi(2)).sum();
                (point.dot(point) - explained).max(0.0) / ridge
            }
            Self::Dimensions(factor) => {
                let mut rest = &factor[..];
                let squared = |used: usize| {
                    let (values, below) = rest.split_at(used);
                    rest = below;
                    ArrayView1::from(values).dot(&point.slice(ndarray::s![..used])).powi(2)
                };
                (1..=point.len()).map(squared).sum()
            }
        }
    }
}

fn dot(row: ArrayView1<f64>, point: &Array1<f64>) -> f64 {
    row.dot(point)
}

fn factor(matrix: &Array2<f64>) -> Array2<f64> {
    cholesky(matrix).expect("the ridge makes the matrix positive definite")
}

/// Ledoit and Wolf's shrinkage and the mean variance, from centred points and either their
/// products `XX'` or `X'X`, which have the same trace and the same norm.
fn shrinkage(points: &Array2<f64>, products: &Array2<f64>) -> (f64, f64) {
    let (references, dims) = (points.nrows() as f64, points.ncols() as f64);
    let scale = products.diag().sum() / (references * dims);
    if scale <= 0.0 {
        // Where nothing varies the covariance is the identity.
        return (1.0, 1.0);
    }
    let norm_squared = products.iter().map(|value| value * value).sum::<f64>() / references.powi(2);
    let fourth_moments: f64 =
        points.rows().into_iter().map(|row| row.dot(&row).powi(2)).sum::<f64>() / references;
    let dispersion = norm_squared - dims * scale * scale;
    let noise = ((fourth_moments - norm_squared) / references).min(dispersion);
    let shrinkage = if dispersion > 0.0 { (noise / dispersion).clamp(0.0, 1.0) } else { 1.0 };
    (shrinkage.max(LEAST_SHRINKAGE), scale)
}

/// `F^-1 points` for a lower factor `F`.
fn solve_lower(factor: &Array2<f64>, mut points: Array2<f64>) -> Array2<f64> {
    for row in 0..points.nrows() {
        let (above, mut rest) = points.view_mut().split_at(Axis(0), row);
        let mut solved = rest.row_mut(0);
        for (&weight, known) in factor.row(row).iter().zip(above.rows()) {
            solved.scaled_add(-weight, &known);
        }
        solved /= factor[[row, row]];
    }
    points
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;
    use rand::RngExt;

    use super::*;
    use crate::linalg::ledoit_wolf;

    /// The definition, word for word, with a full inverse covariance.
    fn plain(references: &Array2<f32>, query: ArrayView1<f32>, floor: f64) -> f64 {
        let points = references.mapv(f64::from);
        let centre = mean(points.view());
        let deviation = points.std_axis(Axis(0), 0.0).mapv(|value| value.max(floor));
        let standardised = (&points - &centre) / &deviation;
        let mut covariance = ledoit_wolf(standardised.view());
        covariance.diag_mut().mapv_inplace(|value| value + RIDGE);
        let white =
            invert_lower(&factor(&covariance)).dot(&((query.mapv(f64::from) - centre) / deviation));
        (white.dot(&white) / query.len() as f64).sqrt()
    }

    #[test]
    fn both_spaces_give_the_distance_of_the_definition() {
        let mut rng = Seed::new(5).rng();
        for (references, dims) in [(1, 4), (2, 7), (9, 10), (10, 10), (30, 10), (12, 64)] {
            let mut cloud = Array2::from_shape_simple_fn((references, dims), || {
                rng.random_range(-3.0..3.0_f32)
            });
            // One dimension that hardly varies, and one that does not.
            cloud.column_mut(0).mapv_inplace(|value| value * 1e-3);
            cloud.column_mut(1).fill(4.0);
            let gaussian = ShrunkGaussian::fit(cloud.view(), 0.3);
            for _ in 0..5 {
                let query = Array1::from_shape_simple_fn(dims, || rng.random_range(-9.0..9.0_f32));
                let (found, expected) =
                    (gaussian.distance(query.view()), plain(&cloud, query.view(), 0.3));
                // Woodbury's identity subtracts numbers up to 1e5 times as large as what is left.
                assert!((found / expected - 1.0).abs() < 1e-9, "{references} {found} {expected}");
            }
        }
    }

    #[test]
    fn the_packed_factor_gives_the_bits_of_the_square_one() {
        let mut rng = Seed::new(6).rng();
        let mut random = |shape: (usize, usize)| {
            Array2::from_shape_simple_fn(shape, || rng.random_range(-3.0..3.0_f64))
        };
        let (cloud, queries) = (random((90, 33)), random((7, 33)));
        let Precision::Dimensions(packed) = Precision::of(cloud) else {
            unreachable!("more references than dimensions")
        };
        assert_eq!(packed.len(), 33 * 34 / 2, "no zeros are held");
        let mut square = Array2::<f64>::zeros((33, 33));
        let places = (0..33).flat_map(|row| (0..=row).map(move |column| [row, column]));
        places.zip(&packed).for_each(|(place, &value)| square[place] = value);
        let precision = Precision::Dimensions(packed);
        for query in queries.rows() {
            let expected: f64 = (0..33)
                .map(|row| {
                    let used = ndarray::s![..=row];
                    square.row(row).slice(used).dot(&query.slice(used)).powi(2)
                })
                .sum();
            assert_eq!(precision.form(&query.to_owned()).to_bits(), expected.to_bits());
        }
    }
}
