//! What a step pulls together and what it pushes apart.

use ndarray::{Array1, Array2, ArrayView1};

use crate::GradientSplit;

/// Centres of a softmax loss on the sphere, without margin.
pub(super) struct Softmax<'a> {
    /// Unit vectors, `[classes * sub-clusters, dims]`, class-major.
    pub(super) centres: &'a Array2<f32>,
    pub(super) classes: usize,
    pub(super) scale: f64,
}

impl Softmax<'_> {
    /// Splits the gradient by the unit embeddings into that of distances to the own centres and that of
    /// distances to all others: theorem B of docs/theory.md, with soft labels.
    ///
    /// # Shapes
    /// `unit`: `[clips, dims]`; `labels`: `[clips, classes]`.
    pub(super) fn split(&self, unit: &Array2<f32>, labels: &Array2<f32>) -> GradientSplit {
        let (mut pull, mut push, mut agreement) = (0.0, 0.0, 0.0);
        for (embedding, label) in unit.rows().into_iter().zip(labels.rows()) {
            let embedding = embedding.mapv(f64::from);
            let (own, others) = self.parts(&embedding, label);
            let (own_length, others_length) = (length(&own), length(&others));
            pull += own_length;
            push += others_length;
            let product = own_length * others_length;
            agreement += if product > 0.0 { own.dot(&others) / product } else { 0.0 };
        }
        let clips = unit.nrows().max(1) as f64;
        GradientSplit { pull: pull / clips, push: push / clips, agreement: agreement / clips }
    }

    /// The two directions in which a step moves an embedding, along the sphere: towards its own centres,
    /// and away from the others.
    fn parts(
        &self,
        embedding: &Array1<f64>,
        label: ArrayView1<'_, f32>,
    ) -> (Array1<f64>, Array1<f64>) {
        let centres = self.centres.mapv(f64::from);
        let logits = centres.dot(embedding) * self.scale;
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers = logits.mapv(|logit| (logit - largest).exp());
        let of_all = &powers / powers.sum();
        let sub_clusters = self.centres.nrows() / self.classes;
        let (mut own, mut others) = (Array1::zeros(of_all.len()), Array1::zeros(of_all.len()));
        for (class, &share) in label.iter().enumerate() {
            let share = f64::from(share);
            let places = class * sub_clusters..(class + 1) * sub_clusters;
            let of_class: f64 = places.clone().map(|k| of_all[k]).sum();
            for k in places {
                own[k] = share * (of_all[k] / of_class.max(f64::MIN_POSITIVE) - of_all[k]);
                others[k] = (share - 1.0) * of_all[k];
            }
        }
        let along_sphere = |weights: &Array1<f64>| {
            let direction = centres.t().dot(weights) * self.scale;
            let outward = direction.dot(embedding);
            direction - embedding * outward
        };
        (along_sphere(&own), along_sphere(&others))
    }
}

fn length(vector: &Array1<f64>) -> f64 {
    vector.dot(vector).sqrt()
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    const CLASSES: usize = 3;

    fn centres() -> Array2<f32> {
        let mut centres = Array2::from_shape_fn((6, 4), |(i, j)| ((3 * i + 5 * j) as f32).sin());
        for mut row in centres.rows_mut() {
            let length = row.dot(&row).sqrt();
            row.mapv_inplace(|x| x / length);
        }
        centres
    }

    /// `-sum_l y_l ln P_l` at the direction of a vector.
    fn loss(softmax: &Softmax<'_>, vector: &Array1<f64>, label: &[f64]) -> f64 {
        let unit = vector / length(vector);
        let powers = (softmax.centres.mapv(f64::from).dot(&unit) * softmax.scale).mapv(f64::exp);
        let of_class = |class: usize| (powers[2 * class] + powers[2 * class + 1]) / powers.sum();
        (0..CLASSES).map(|class| -label[class] * of_class(class).ln()).sum()
    }

    #[test]
    fn the_two_parts_add_up_to_the_descent_of_the_loss() {
        let centres = centres();
        let softmax = Softmax { centres: &centres, classes: CLASSES, scale: 3.0 };
        let unit = array![0.5, -0.5, 0.5, 0.5];
        for label in [[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]] {
            let soft = Array1::from(label.map(|y| y as f32).to_vec());
            let (own, others) = softmax.parts(&unit, soft.view());
            for dim in 0..4 {
                let moved = |by: f64| {
                    let mut vector = unit.clone();
                    vector[dim] += by;
                    loss(&softmax, &vector, &label)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert_abs_diff_eq!(own[dim] + others[dim], -slope, epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn a_clip_on_its_only_centre_is_pulled_no_more() {
        let centres = array![[1.0, 0.0], [0.0, 1.0]];
        let softmax = Softmax { centres: &centres, classes: 2, scale: 2.0 };
        let split = softmax.split(&array![[1.0, 0.0]], &array![[1.0, 0.0]]);
        assert_abs_diff_eq!(split.pull, 0.0, epsilon = 1e-9);
        assert!(split.push > 0.1, "{split:?}");
    }
}
