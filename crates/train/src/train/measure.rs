//! What an epoch's embeddings look like: how spread, how close to their own class and to others.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

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

/// Mean direction of each class's unit embeddings; absent for a class without clips.
pub(super) fn class_means(
    unit: &Array2<f32>,
    labels: &[u32],
    classes: usize,
) -> Vec<Option<Vec<f64>>> {
    let mut sums: Vec<Option<Vec<f64>>> = vec![None; classes];
    for (embedding, &label) in unit.rows().into_iter().zip(labels) {
        let sum = sums[label as usize].get_or_insert_with(|| vec![0.0; unit.ncols()]);
        sum.iter_mut().zip(embedding).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    for sum in sums.iter_mut().flatten() {
        let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            for value in sum.iter_mut() {
                *value /= length;
            }
        }
    }
    sums
}

/// Mean squared distance between the mean directions of two classes, over all pairs.
pub(super) fn between(means: &[Option<Vec<f64>>]) -> Option<f64> {
    let means: Vec<&Vec<f64>> = means.iter().flatten().collect();
    let (mut sum, mut pairs) = (0.0, 0_usize);
    for (index, a) in means.iter().enumerate() {
        for b in &means[..index] {
            sum += a.iter().zip(*b).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
            pairs += 1;
        }
    }
    (pairs > 0).then(|| sum / pairs as f64)
}

/// Squared distances of unit embeddings `[clips, dims]` to the mean directions of the classes and,
/// where the loss has some, to its centres `[classes * sub-clusters, dims]`, class-major.
pub(super) fn compactness(
    unit: &Array2<f32>,
    labels: &[u32],
    means: &[Option<Vec<f64>>],
    centres: Option<&Array2<f32>>,
    loss: f64,
) -> Compactness {
    let (mut intra, mut inter, mut right, mut own_centre) = (0.0, 0.0, 0_usize, 0.0);
    let mut has_others = false;
    for (embedding, &label) in unit.rows().into_iter().zip(labels) {
        let distance = |class: usize| {
            let mean = means[class].as_ref();
            mean.map_or(f64::INFINITY, |mean| squared_distance(embedding, mean.iter().copied()))
        };
        let own = distance(label as usize);
        let others = (0..means.len()).filter(|&class| class != label as usize).map(distance);
        let nearest = others.fold(f64::INFINITY, f64::min);
        has_others |= nearest.is_finite();
        intra += own;
        inter += nearest;
        right += usize::from(own < nearest);
        own_centre += centres.map_or(0.0, |centres| {
            nearest_centre(embedding, centres.view(), label as usize, means.len())
        });
    }
    let clips = unit.nrows().max(1) as f64;
    Compactness {
        intra: intra / clips,
        inter: has_others.then_some(inter / clips),
        between: between(means),
        accuracy: has_others.then_some(right as f64 / clips),
        own_centre: centres.map(|_| own_centre / clips),
        loss,
        embedding_variance: variance(unit),
    }
}

fn nearest_centre(
    embedding: ArrayView1<'_, f32>,
    centres: ArrayView2<'_, f32>,
    class: usize,
    classes: usize,
) -> f64 {
    let sub_clusters = centres.nrows() / classes;
    let own = centres.rows().into_iter().skip(class * sub_clusters).take(sub_clusters);
    let distances =
        own.map(|centre| squared_distance(embedding, centre.into_iter().map(|&x| f64::from(x))));
    distances.fold(f64::INFINITY, f64::min)
}

fn squared_distance(a: ArrayView1<'_, f32>, b: impl Iterator<Item = f64>) -> f64 {
    a.iter().zip(b).map(|(&x, y)| (f64::from(x) - y).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn distances_are_to_the_own_mean_and_to_the_nearest_other() {
        let unit = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
        let means = class_means(&unit, &[0, 1, 2], 4);
        let measured = compactness(&unit, &[0, 1, 2], &means, None, 0.5);
        assert_abs_diff_eq!(measured.intra, 0.0, epsilon = 1e-12);
        // Right angles to the nearest; the mean over all others would be larger.
        let inter = measured.inter.expect("there are three classes");
        assert_abs_diff_eq!(inter, 2.0, epsilon = 1e-12);
        let between = measured.between.expect("there are three classes");
        assert_abs_diff_eq!(between, (2.0 + 2.0 + 4.0) / 3.0, epsilon = 1e-12);
        assert_eq!(measured.accuracy, Some(1.0));
        assert_eq!(measured.own_centre, None);
    }

    #[test]
    fn clips_on_the_mean_of_another_class_are_near_it_and_wrong() {
        let means = vec![Some(vec![1.0, 0.0]), Some(vec![0.0, 1.0])];
        let unit = array![[1.0, 0.0], [0.0, 1.0]];
        let measured = compactness(&unit, &[1, 0], &means, None, 0.0);
        assert_abs_diff_eq!(measured.intra, 2.0, epsilon = 1e-12);
        assert_eq!((measured.inter, measured.accuracy), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn collapsed_embeddings_lie_as_near_to_others_as_to_their_own() {
        let unit = array![[0.6, 0.8], [0.6, 0.8], [0.6, 0.8]];
        let means = class_means(&unit, &[0, 1, 0], 2);
        let measured = compactness(&unit, &[0, 1, 0], &means, None, 0.0);
        assert_abs_diff_eq!(measured.inter.expect("two classes"), 0.0, epsilon = 1e-12);
        assert_abs_diff_eq!(measured.between.expect("two classes"), 0.0, epsilon = 1e-12);
        assert_eq!(measured.accuracy, Some(0.0));
    }

    #[test]
    fn the_own_centre_is_the_nearest_of_the_own_class() {
        let unit = array![[1.0, 0.0], [0.0, 1.0]];
        let centres = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        let means = class_means(&unit, &[0, 1], 2);
        let measured = compactness(&unit, &[0, 1], &means, Some(&centres), 0.0);
        // The first clip lies on its centre, the second at a right angle to the nearer of its own.
        assert_abs_diff_eq!(measured.own_centre.expect("centres"), 1.0, epsilon = 1e-12);
    }

    #[test]
    fn equal_embeddings_have_no_variance_and_opposite_ones_have_one() {
        assert_abs_diff_eq!(variance(&array![[0.6, 0.8], [0.6, 0.8]]), 0.0, epsilon = 1e-12);
        assert_abs_diff_eq!(variance(&array![[1.0, 0.0], [-1.0, 0.0]]), 1.0, epsilon = 1e-12);
    }

    #[test]
    fn class_means_point_where_their_class_does() {
        let unit = array![[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let means = class_means(&unit, &[0, 0, 1], 3);
        let diagonal = 0.5_f64.sqrt();
        assert_eq!(means[2], None);
        let found = means.into_iter().flatten().flatten();
        for (found, expected) in found.zip([diagonal, diagonal, 0.0, -1.0]) {
            assert_abs_diff_eq!(found, expected, epsilon = 1e-6);
        }
    }
}
