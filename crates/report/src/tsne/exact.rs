//! The slow twin: every pair of points, in double precision.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::{
    affinity::calibrate,
    config::{Distance, Point},
    neighbors::apart,
};

/// Symmetric affinities of all pairs, summing to one.
pub(crate) struct Affinities(Array2<f64>);

impl Affinities {
    pub(crate) fn new(points: ArrayView2<f32>, distance: Distance, perplexity: f64) -> Self {
        let count = points.nrows();
        let views: Vec<Vec<f64>> = (0..count)
            .into_par_iter()
            .map(|i| {
                let others = (0..count).filter(|&j| j != i);
                let distances: Vec<f64> =
                    others.map(|j| apart(points.row(i), points.row(j), distance)).collect();
                let mut view = calibrate(&distances, perplexity);
                view.insert(i, 0.0);
                view
            })
            .collect();
        let both = |i: usize, j: usize| (views[i][j] + views[j][i]) / (2.0 * count as f64);
        Self(Array2::from_shape_fn((count, count), |(i, j)| both(i, j)))
    }

    /// See [`super::affinity::Affinities::gradient`].
    pub(crate) fn gradient(&self, positions: &[Point], exaggeration: f32) -> Vec<Point> {
        let normaliser = normaliser(positions);
        (0..positions.len())
            .into_par_iter()
            .map(|i| {
                let mut slope = [0.0; 2];
                for (j, other) in positions.iter().enumerate() {
                    let (d, near) = similarity(positions[i], *other);
                    let pull = f64::from(exaggeration) * self.0[(i, j)] - near / normaliser;
                    slope[0] += pull * near * d[0];
                    slope[1] += pull * near * d[1];
                }
                slope.map(|s| s as f32)
            })
            .collect()
    }

    /// Divergence of the map from the affinities, in nats.
    pub(crate) fn kl(&self, positions: &[Point]) -> f64 {
        let normaliser = normaliser(positions);
        let pairs = self.0.indexed_iter().filter(|&(_, &p)| p > 0.0);
        pairs
            .map(|((i, j), &p)| {
                let (_, near) = similarity(positions[i], positions[j]);
                p * (p * normaliser / near).ln()
            })
            .sum()
    }
}

/// The difference of two positions and `1 / (1 + d^2)`.
fn similarity(a: Point, b: Point) -> ([f64; 2], f64) {
    let d = [0, 1].map(|axis| f64::from(a[axis]) - f64::from(b[axis]));
    (d, 1.0 / (1.0 + d[0] * d[0] + d[1] * d[1]))
}

/// Sum of `1 / (1 + d^2)` over all ordered pairs of different points.
fn normaliser(positions: &[Point]) -> f64 {
    let of_point = |&at: &Point| positions.iter().map(|&b| similarity(at, b).1).sum::<f64>() - 1.0;
    let parts: Vec<f64> = positions.par_iter().map(of_point).collect();
    parts.iter().sum()
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;
    use rand::RngExt;

    use super::*;
    use crate::tsne::{
        affinity::{Affinities as Sparse, conditional},
        barnes_hut::Tree,
        nearest,
    };

    fn cloud(points: usize, dims: usize) -> Array2<f32> {
        let mut rng = Seed::new(8).rng();
        Array2::from_shape_simple_fn((points, dims), || rng.random_range(-1.0..1.0))
    }

    fn positions(points: usize) -> Vec<Point> {
        cloud(points, 2).rows().into_iter().map(|row| [4.0 * row[0], 4.0 * row[1]]).collect()
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_divergence() {
        let affinities = Affinities::new(cloud(30, 5).view(), Distance::Euclidean, 5.0);
        let at = positions(30);
        let gradient = affinities.gradient(&at, 1.0);
        let step = 1e-2_f32;
        for (point, axis) in [(0, 0), (7, 1), (29, 0)] {
            let moved = |by: f32| {
                let mut moved = at.clone();
                moved[point][axis] += by;
                affinities.kl(&moved)
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            // The gradient leaves out its factor 4; central differences err by the square of the step.
            let expected = 4.0 * f64::from(gradient[point][axis]);
            assert!((slope - expected).abs() < 1e-5 + 1e-3 * slope.abs(), "{slope} {expected}");
        }
    }

    #[test]
    fn the_fast_twin_has_the_same_gradient_and_divergence() {
        let points = cloud(200, 6);
        let exact = Affinities::new(points.view(), Distance::Euclidean, 8.0);
        let all = nearest(points.view(), points.view(), Distance::Euclidean, 199, true);
        let fast = Sparse::symmetric(&conditional(&all, 8.0));
        let at = positions(200);
        let tree = Tree::new(&at);
        let (slow, quick) = (exact.gradient(&at, 1.0), fast.gradient(&at, 1.0, &tree, 0.2));
        let scale = slow.iter().flatten().fold(0.0_f32, |a, b| a.max(b.abs()));
        for (a, b) in slow.iter().flatten().zip(quick.iter().flatten()) {
            // At theta 0.2 a cell's error is at most a few per mille of the largest force.
            assert!((a - b).abs() < 5e-3 * scale, "{a} {b}");
        }
        let divergence = fast.kl(&at, tree.repulsion(0.2).1);
        assert!((divergence / exact.kl(&at) - 1.0).abs() < 2e-3);
    }
}
