//! A loss: softmax over negative squared distances to trained class centres.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use offkey::{
    Seed,
    losses::{CustomLoss, LossValue},
};

/// `-sum_k y_k ln p_k` with `p` the softmax of `-|x - c_k|²`.
///
/// # Source
/// Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", 2017, with trained centres in place of means.
#[derive(Debug, Clone, Copy)]
pub struct DistanceSoftmax;

impl CustomLoss for DistanceSoftmax {
    /// One centre per class, `[classes, dims]`, each number between -0.5 and 0.5.
    fn matrices(&self, dims: usize, classes: usize, seed: Seed) -> Vec<Array2<f32>> {
        let number = |(class, dim): (usize, usize)| {
            let drawn = seed.child(class).child(dim).value();
            (drawn as f64 / u64::MAX as f64 - 0.5) as f32
        };
        vec![Array2::from_shape_fn((classes, dims), number)]
    }

    fn evaluate(
        &self,
        matrices: &[Array2<f32>],
        embeddings: ArrayView2<'_, f32>,
        labels: ArrayView2<'_, f32>,
    ) -> LossValue {
        let centres = &matrices[0];
        let clips = embeddings.nrows() as f32;
        let mut by_embeddings = Array2::zeros(embeddings.dim());
        let mut by_centres = Array2::zeros(centres.dim());
        let mut loss = 0.0;
        for (clip, (embedding, label)) in
            embeddings.rows().into_iter().zip(labels.rows()).enumerate()
        {
            let shares = shares(embedding, centres);
            for (class, (&share, &wanted)) in shares.iter().zip(label).enumerate() {
                loss -= wanted * share.max(f32::MIN_POSITIVE).ln() / clips;
                // The derivative by -|x - c|² is p - y.
                let pull = 2.0 * (share - wanted) / clips;
                let from_centre = &embedding - &centres.row(class);
                by_embeddings.row_mut(clip).scaled_add(-pull, &from_centre);
                by_centres.row_mut(class).scaled_add(pull, &from_centre);
            }
        }
        LossValue { loss, by_embeddings, by_matrices: vec![by_centres] }
    }
}

/// Softmax of the negative squared distances to the centres.
fn shares(embedding: ArrayView1<'_, f32>, centres: &Array2<f32>) -> Array1<f32> {
    let distance = |centre: ArrayView1<'_, f32>| {
        embedding.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum::<f32>()
    };
    let logits: Array1<f32> = centres.rows().into_iter().map(|centre| -distance(centre)).collect();
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.mapv(|logit| (logit - largest).exp());
    let sum = powers.sum();
    powers / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_those_of_small_differences() {
        let number =
            |salt: usize| move |(i, j): (usize, usize)| ((salt + 7 * i + 3 * j) as f32).sin();
        let x = Array2::from_shape_fn((4, 3), number(1));
        let centres = Array2::from_shape_fn((2, 3), number(5));
        let labels = ndarray::array![[1.0, 0.0], [0.0, 1.0], [0.3, 0.7], [0.5, 0.5]];
        let value = |x: &Array2<f32>, centres: &Array2<f32>| {
            DistanceSoftmax.evaluate(std::slice::from_ref(centres), x.view(), labels.view())
        };
        let found = value(&x, &centres);
        let step = 1e-2;
        for place in [(0, 0), (1, 2), (3, 1)] {
            let moved = |by: f32| {
                let mut x = x.clone();
                x[place] += by;
                value(&x, &centres).loss
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((found.by_embeddings[place] - expected).abs() < 1e-3, "{place:?}");
        }
        for place in [(0, 1), (1, 2)] {
            let moved = |by: f32| {
                let mut centres = centres.clone();
                centres[place] += by;
                value(&x, &centres).loss
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((found.by_matrices[0][place] - expected).abs() < 1e-3, "{place:?}");
        }
    }
}
