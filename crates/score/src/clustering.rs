//! k-means: a few centres that stand for many points.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use offkey_core::Seed;
use rand::RngExt;
use rayon::prelude::*;

use crate::{ScoreError, neighbors::squared_distance, references::check_finite};

/// Rounds of assigning and averaging after which a start is taken as it is (scikit-learn's 300).
const MOST_ROUNDS: usize = 300;

/// Points dealt to centres.
#[derive(Debug, Clone)]
pub(crate) struct Clusters {
    /// `[clusters, dims]`.
    pub(crate) centres: Array2<f32>,
    /// Cluster of each point.
    pub(crate) labels: Vec<usize>,
    /// Sum over points of the squared distance to their centre.
    pub(crate) inertia: f64,
}

/// Deals points to at most `clusters` clusters by k-means and returns the cluster of each.
///
/// # Shapes
/// `points`: `[points, dims]`.
///
/// # Errors
/// [`ScoreError`] when there is no point, no dimension, or a number is not finite.
pub fn cluster(
    points: ArrayView2<f32>,
    clusters: usize,
    seed: Seed,
) -> Result<Vec<usize>, ScoreError> {
    /// Starts, of which the best is kept (scikit-learn's former default).
    const RESTARTS: usize = 10;
    if points.nrows() == 0 {
        return Err(ScoreError::NoReferences);
    }
    check_finite(points)?;
    Ok(k_means(points, clusters.clamp(1, points.nrows()), RESTARTS, seed).labels)
}

/// k-means by Lloyd's rounds from `restarts` starts of greedy k-means++; the start of smallest
/// inertia wins, the earlier one of equals. `1 <= clusters <= points`.
///
/// # Source
/// Arthur and Vassilvitskii 2007, with the greedy candidates scikit-learn uses.
pub(crate) fn k_means(
    points: ArrayView2<f32>,
    clusters: usize,
    restarts: usize,
    seed: Seed,
) -> Clusters {
    let starts: Vec<Clusters> = (0..restarts.max(1))
        .into_par_iter()
        .map(|restart| lloyd(points, plus_plus(points, clusters, seed.child(restart))))
        .collect();
    starts
        .into_iter()
        .reduce(|best, next| if next.inertia < best.inertia { next } else { best })
        .expect("at least one start is made")
}

/// Greedy k-means++: each next centre is the best of a few points drawn with probability
/// proportional to their squared distance to the centres so far.
fn plus_plus(points: ArrayView2<f32>, clusters: usize, seed: Seed) -> Array2<f32> {
    let mut rng = seed.rng();
    let candidates = 2 + (clusters as f64).ln() as usize;
    let first = rng.random_range(0..points.nrows());
    let mut chosen = vec![first];
    let mut nearest = distances_to(points, first);
    while chosen.len() < clusters {
        let total: f64 = nearest.iter().sum();
        let best = (0..candidates)
            .map(|_| draw(&nearest, rng.random::<f64>() * total))
            .map(|candidate| {
                let distances = distances_to(points, candidate);
                let reduced: Vec<f64> =
                    nearest.iter().zip(distances).map(|(old, new)| old.min(new)).collect();
                (candidate, reduced)
            })
            .min_by(|a, b| a.1.iter().sum::<f64>().total_cmp(&b.1.iter().sum::<f64>()))
            .expect("at least two candidates are drawn");
        chosen.push(best.0);
        nearest = best.1;
    }
    points.select(Axis(0), &chosen)
}

fn distances_to(points: ArrayView2<f32>, index: usize) -> Vec<f64> {
    let centre = points.row(index);
    points.rows().into_iter().map(|point| squared_distance(point, centre)).collect()
}

/// The index where the running sum of weights passes `position`.
fn draw(weights: &[f64], position: f64) -> usize {
    let mut passed = 0.0;
    let reached = weights.iter().position(|weight| {
        passed += weight;
        passed > position
    });
    reached.unwrap_or(weights.len() - 1)
}

fn lloyd(points: ArrayView2<f32>, mut centres: Array2<f32>) -> Clusters {
    let mut labels = assign(points, &centres);
    for _ in 0..MOST_ROUNDS {
        centres = averages(points, labels.clone(), &centres);
        let next = assign(points, &centres);
        if next == labels {
            break;
        }
        labels = next;
    }
    let distance =
        |(row, &label): (usize, &usize)| squared_distance(points.row(row), centres.row(label));
    let inertia = labels.iter().enumerate().map(distance).sum();
    Clusters { centres, labels, inertia }
}

/// The nearest centre of each point; the earlier one of equals.
fn assign(points: ArrayView2<f32>, centres: &Array2<f32>) -> Vec<usize> {
    let half_norms: Vec<f32> =
        centres.rows().into_iter().map(|centre| centre.dot(&centre) / 2.0).collect();
    let products = points.dot(&centres.t());
    let nearest = |row: ndarray::ArrayView1<f32>| {
        let mut best = (0, f32::INFINITY);
        for (label, (product, half_norm)) in row.iter().zip(&half_norms).enumerate() {
            let key = half_norm - product;
            if key < best.1 {
                best = (label, key);
            }
        }
        best.0
    };
    products.rows().into_iter().map(nearest).collect()
}

/// Mean of the points of each label. A label without points takes the point farthest from its
/// centre out of a cluster that has others.
fn averages(points: ArrayView2<f32>, mut labels: Vec<usize>, centres: &Array2<f32>) -> Array2<f32> {
    let mut counts = vec![0_usize; centres.nrows()];
    for &label in &labels {
        counts[label] += 1;
    }
    for empty in 0..counts.len() {
        if counts[empty] == 0 {
            let distance = |row: usize| squared_distance(points.row(row), centres.row(labels[row]));
            let farthest = (0..labels.len())
                .filter(|&row| counts[labels[row]] > 1)
                .max_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(b.cmp(&a)))
                .expect("more points than clusters with points");
            counts[labels[farthest]] -= 1;
            counts[empty] = 1;
            labels[farthest] = empty;
        }
    }
    let mut sums = vec![Array1::<f64>::zeros(points.ncols()); centres.nrows()];
    for (point, label) in points.rows().into_iter().zip(labels) {
        sums[label].zip_mut_with(&point, |sum, &value| *sum += f64::from(value));
    }
    let mut means = Array2::zeros(centres.raw_dim());
    for ((mut mean, sum), &count) in means.rows_mut().into_iter().zip(&sums).zip(&counts) {
        mean.assign(&sum.mapv(|value| (value / count as f64) as f32));
    }
    means
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn separate_heaps_are_found() {
        let points = array![[0.0, 0.1], [0.1, 0.0], [9.0, 9.0], [9.1, 9.0], [0.0, 9.0_f32]];
        let clusters = k_means(points.view(), 3, 10, Seed::new(1));
        assert_eq!(clusters.labels[0], clusters.labels[1]);
        assert_eq!(clusters.labels[2], clusters.labels[3]);
        assert!((clusters.inertia - 0.015).abs() < 1e-6, "{}", clusters.inertia);
    }

    #[test]
    fn as_many_clusters_as_points_leave_nothing_over() {
        let points = array![[0.0], [1.0], [5.0], [7.0_f32]];
        let clusters = k_means(points.view(), 4, 1, Seed::new(0));
        assert_eq!(clusters.inertia.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn equal_points_are_no_trouble() {
        let points = Array2::<f32>::ones((6, 3));
        let clusters = k_means(points.view(), 4, 3, Seed::new(0));
        assert_eq!(clusters.centres, Array2::<f32>::ones((4, 3)));
    }
}
