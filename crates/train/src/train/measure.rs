//! What an epoch's embeddings look like: how spread, how close to which centres.

use ndarray::{Array2, ArrayView1, Axis};

use crate::Compactness;

/// Variance of unit embeddings `[clips, dims]`, summed over dimensions:
/// 0 when all are equal, 1 when their mean is the origin.
pub(super) fn variance(unit: &Array2<f32>) -> f64 {
    let clips = unit.nrows().max(1) as f64;
    let per_dim = unit.axis_iter(Axis(1)).map(|column| {
        let mean = column.iter().map(|&x| f64::from(x)).sum::<f64>() / clips;
        column.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / clips
    });
    per_dim.sum()
}

/// Mean direction of each class's unit embeddings, for losses that have no centres of their own.
pub(super) fn class_means(unit: &Array2<f32>, labels: &[u32], classes: usize) -> Array2<f32> {
    let mut means = Array2::zeros((classes, unit.ncols()));
    for (embedding, &label) in unit.rows().into_iter().zip(labels) {
        let mut mean = means.row_mut(label as usize);
        mean += &embedding;
    }
    offkey_infer::normalised(means)
}

/// Squared distances of unit embeddings to `centres`, `[classes * sub-clusters, dims]`,
/// class-major.
pub(super) fn compactness(
    unit: &Array2<f32>,
    labels: &[u32],
    centres: &Array2<f32>,
    classes: usize,
    loss: f64,
) -> Compactness {
    let sub_clusters = centres.nrows() / classes.max(1);
    let (mut intra, mut inter) = (0.0, 0.0);
    for (embedding, &label) in unit.rows().into_iter().zip(labels) {
        let own = label as usize * sub_clusters..(label as usize + 1) * sub_clusters;
        let mut nearest = f64::INFINITY;
        let mut others = 0.0;
        for (index, centre) in centres.rows().into_iter().enumerate() {
            let distance = squared_distance(embedding, centre);
            if own.contains(&index) {
                nearest = nearest.min(distance);
            } else {
                others += distance;
            }
        }
        intra += nearest;
        inter += others / (centres.nrows() - sub_clusters).max(1) as f64;
    }
    let clips = unit.nrows().max(1) as f64;
    Compactness {
        intra: intra / clips,
        inter: (classes > 1).then_some(inter / clips),
        loss,
        embedding_variance: variance(unit),
    }
}

fn squared_distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn distances_are_to_the_nearest_own_and_to_all_other_centres() {
        let unit = array![[1.0, 0.0], [0.0, 1.0]];
        let centres = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        let measured = compactness(&unit, &[0, 1], &centres, 2, 0.5);
        // The first clip lies on its centre, the second at a right angle to the nearer of its own.
        assert_abs_diff_eq!(measured.intra, 1.0, epsilon = 1e-12);
        let inter = measured.inter.expect("there are two classes");
        assert_abs_diff_eq!(inter, 2.0, epsilon = 1e-12);
        assert_abs_diff_eq!(measured.embedding_variance, 0.5, epsilon = 1e-12);
    }

    #[test]
    fn equal_embeddings_have_no_variance_and_opposite_ones_have_one() {
        assert_abs_diff_eq!(variance(&array![[0.6, 0.8], [0.6, 0.8]]), 0.0, epsilon = 1e-12);
        assert_abs_diff_eq!(variance(&array![[1.0, 0.0], [-1.0, 0.0]]), 1.0, epsilon = 1e-12);
    }

    #[test]
    fn class_means_point_where_their_class_does() {
        let unit = array![[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let means = class_means(&unit, &[0, 0, 1], 2);
        let diagonal = 0.5_f32.sqrt();
        for (found, expected) in means.iter().zip([diagonal, diagonal, 0.0, -1.0]) {
            assert_abs_diff_eq!(*found, expected, epsilon = 1e-6);
        }
    }
}
