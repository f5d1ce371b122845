//! The three theorems of docs/theory.md as properties of the double-precision twins.

use ndarray::ArrayView1;

use super::super::reference::{
    self, softmax, squared_distances, sum_by_class, unit_columns, unit_rows,
};
use super::*;

/// Double precision after a few dozen sums of exponentials; gradients by central differences.
const EXACT: f64 = 1e-9;
const DIFFERENCES: f64 = 1e-6;

/// A random problem: a batch, unit centres of `sub_clusters` a class, a scale.
#[derive(Debug, Clone)]
struct Problem {
    batch: Batch,
    sub_clusters: usize,
    scale: f64,
    centres: Array2<f64>,
}

fn problems() -> impl Strategy<Value = Problem> {
    (batches(), 1..4_usize, 0.5..8.0_f64).prop_flat_map(|(batch, sub_clusters, scale)| {
        let count = batch.classes * sub_clusters;
        let entries = prop::collection::vec(-1.0..1.0_f64, batch.dims * count);
        entries.prop_filter_map("a centre is nearly zero", move |entries| {
            let raw = Array2::from_shape_vec((batch.dims, count), entries).ok()?;
            let shortest = raw.columns().into_iter().map(|column| column.dot(&column));
            (shortest.fold(f64::MAX, f64::min) > 0.01).then(|| Problem {
                batch: batch.clone(),
                sub_clusters,
                scale,
                centres: unit_columns(&raw),
            })
        })
    })
}

impl Problem {
    /// Class probabilities of unnormalised embeddings.
    fn probabilities(&self, x: &Array2<f64>) -> Array2<f64> {
        let p = softmax(&(reference::cosines(x, &self.centres) * self.scale));
        sum_by_class(&p, self.sub_clusters)
    }

    fn losses(&self, x: &Array2<f64>, y: &Array2<f64>) -> Array1<f64> {
        reference::sub_cluster_adacos(x, &self.centres, y, self.sub_clusters, self.scale)
    }

    /// The first centre of every class: the problem with one centre a class.
    fn with_one_centre_a_class(&self) -> Self {
        let centres = self.centres.slice(s![.., ..;self.sub_clusters.cast_signed()]);
        Self { sub_clusters: 1, centres: centres.to_owned(), ..self.clone() }
    }

    /// Mean loss when all clips of class `c`, a share `frequencies[c]` of them, are embedded as
    /// `embeddings[c]`.
    fn mean_loss(&self, embeddings: &[Array1<f64>], frequencies: &[f64]) -> f64 {
        let of_class = embeddings.iter().enumerate().zip(frequencies);
        of_class.map(|((class, e), share)| -share * self.log_probability(e, class)).sum()
    }

    fn log_probability(&self, e: &Array1<f64>, class: usize) -> f64 {
        let row = e.clone().insert_axis(ndarray::Axis(0));
        self.probabilities(&row)[[0, class]].ln()
    }

    fn constant(&self, e: &Array1<f64>) -> Vec<Array1<f64>> {
        vec![e.clone(); self.batch.classes]
    }

    /// Shares of the classes, all positive, from the random embeddings.
    fn frequencies(&self) -> Vec<f64> {
        let values = self.batch.x.iter().cycle().take(self.batch.classes);
        let weights: Vec<f64> = values.map(|x| 0.1 + x.abs()).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    fn balanced(&self) -> Vec<f64> {
        vec![1.0 / self.batch.classes as f64; self.batch.classes]
    }
}

/// Moves a single embedding uphill on `value` over the sphere, from `start`; the value never
/// falls.
fn climb(start: &Array1<f64>, value: impl Fn(&Array1<f64>) -> f64) -> Array1<f64> {
    let mut at = start / start.dot(start).sqrt();
    let mut step = 0.5;
    let mut best = value(&at);
    while step > 1e-7 {
        let row = at.clone().insert_axis(ndarray::Axis(0));
        let slope = numeric_gradient(&row, |x| value(&x.row(0).to_owned()));
        let mut moved = &at + &(slope.row(0).to_owned() * step);
        moved /= moved.dot(&moved).sqrt();
        let reached = value(&moved);
        if reached > best {
            (at, best) = (moved, reached);
            step *= 1.5;
        } else {
            step /= 4.0;
        }
    }
    at
}

fn entropy(frequencies: &[f64]) -> f64 {
    -frequencies.iter().map(|f| f * f.ln()).sum::<f64>()
}

/// Gradient of `||e - c||^2`, `e` the direction of `x`, in the un-normalised `x`.
fn gradient_of_squared_distance(x: ArrayView1<f64>, c: ArrayView1<f64>) -> Array1<f64> {
    let length = x.dot(&x).sqrt();
    let e = &x / length;
    (&e * e.dot(&c) - c) * (2.0 / length)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn identity_a_cosine_is_a_squared_distance(problem in problems()) {
        let cosines = reference::cosines(&problem.batch.x, &problem.centres);
        let distances = squared_distances(&unit_rows(&problem.batch.x), &problem.centres);
        assert_all_close(&cosines, &distances.mapv(|d| 1.0 - d / 2.0), EXACT, "cosine");
        let by_cosine = softmax(&(cosines * problem.scale));
        let by_distance = softmax(&(distances * (-problem.scale / 2.0)));
        assert_all_close(&by_cosine, &by_distance, EXACT, "softmax");
    }

    #[test]
    fn theorem_a_the_loss_is_a_function_of_distances(problem in problems(), nudge in 0.001..0.5_f64) {
        let problem = problem.with_one_centre_a_class();
        let y = hardened(&problem.batch.y);
        let losses = problem.losses(&problem.batch.x, &y);
        let distances = squared_distances(&unit_rows(&problem.batch.x), &problem.centres);
        let formula = |distances: ArrayView1<f64>, own: usize| {
            let others = (0..distances.len()).filter(|&class| class != own);
            let terms = others.map(|j| (problem.scale / 2.0 * (distances[own] - distances[j])).exp());
            terms.sum::<f64>().ln_1p()
        };
        for clip in 0..y.nrows() {
            let own = reference::argmax(y.row(clip));
            let value = formula(distances.row(clip), own);
            assert_close(losses[clip], value, EXACT, "value");
            for class in 0..y.ncols() {
                let mut moved = distances.row(clip).to_owned();
                moved[class] += nudge;
                let changed = formula(moved.view(), own);
                prop_assert_eq!(changed > value, class == own, "distance to class {}", class);
                prop_assert!(changed != value);
            }
        }
    }

    #[test]
    fn theorem_b_every_step_is_a_step_on_compactness(problem in problems()) {
        let Problem { batch, sub_clusters, scale, centres } = &problem;
        let p = softmax(&(reference::cosines(&batch.x, centres) * *scale));
        let class_p = sum_by_class(&p, *sub_clusters);
        let numeric = numeric_gradient(&batch.x, |x| problem.losses(x, &batch.y).sum());
        for clip in 0..batch.x.nrows() {
            let mut gradient = Array1::<f64>::zeros(batch.dims);
            for label in 0..batch.classes {
                for k in 0..centres.ncols() {
                    let weight = if k / sub_clusters == label {
                        let q = p[[clip, k]] / class_p[[clip, label]];
                        prop_assert!(q >= p[[clip, k]]);
                        q - p[[clip, k]]
                    } else {
                        -p[[clip, k]]
                    };
                    let direction = gradient_of_squared_distance(batch.x.row(clip), centres.column(k));
                    gradient.scaled_add(batch.y[[clip, label]] * weight * scale / 2.0, &direction);
                }
            }
            assert_all_close(&gradient, numeric.row(clip), DIFFERENCES, "gradient");
        }
        let closed = reference::sub_cluster_adacos_gradient(&batch.x, centres, &batch.y, *sub_clusters, *scale);
        assert_all_close(&closed, &numeric, DIFFERENCES, "closed form");
    }

    #[test]
    fn theorem_b_a_margin_multiplies_the_pull_to_the_own_centre(
        problem in problems(),
        margin in 0.0..0.6_f64,
    ) {
        let problem = problem.with_one_centre_a_class();
        let Problem { batch, scale, centres, .. } = &problem;
        let cosines = reference::cosines(&batch.x, centres);
        let numeric = numeric_gradient(&batch.x, |x| {
            reference::aam(x, centres, &batch.y, *scale, margin).sum()
        });
        for clip in 0..batch.x.nrows() {
            let angles: Vec<f64> = cosines.row(clip).iter().map(|c| c.clamp(-1.0, 1.0).acos()).collect();
            // The theorem's angles; outside them the margin passes the poles.
            if angles.iter().any(|&theta| !(0.1..std::f64::consts::PI - margin).contains(&theta)) {
                continue;
            }
            let mut gradient = Array1::<f64>::zeros(batch.dims);
            for label in 0..batch.classes {
                let mut logits = cosines.row(clip).to_owned() * *scale;
                logits[label] = scale * (angles[label] + margin).cos();
                let p = softmax(&logits.insert_axis(ndarray::Axis(0)));
                for k in 0..batch.classes {
                    let weight = if k == label {
                        (1.0 - p[[0, k]]) * (angles[k] + margin).sin() / angles[k].sin()
                    } else {
                        -p[[0, k]]
                    };
                    let direction = gradient_of_squared_distance(batch.x.row(clip), centres.column(k));
                    gradient.scaled_add(batch.y[[clip, label]] * weight * scale / 2.0, &direction);
                }
            }
            assert_all_close(&gradient, numeric.row(clip), 1e-5, "gradient");
        }
    }

    #[test]
    fn theorem_c_a_constant_map_pays_at_least_the_entropy(problem in problems()) {
        let shares = problem.frequencies();
        for e in unit_rows(&problem.batch.x).rows() {
            let constant = problem.constant(&e.to_owned());
            let unbalanced = problem.mean_loss(&constant, &shares);
            prop_assert!(unbalanced >= entropy(&shares) - EXACT);
            let balanced = problem.mean_loss(&constant, &problem.balanced());
            prop_assert!(balanced >= (problem.batch.classes as f64).ln() - EXACT);
        }
    }

    #[test]
    fn theorem_c_with_one_class_nothing_can_be_learnt(problem in problems()) {
        let one_class = Array2::ones((problem.batch.x.nrows(), 1));
        let all = problem.centres.ncols();
        let losses = reference::sub_cluster_adacos(&problem.batch.x, &problem.centres, &one_class, all, problem.scale);
        prop_assert!(losses.iter().all(|loss| loss.abs() < EXACT));
    }
}

proptest! {
    // Each case climbs a surface several times.
    #![proptest_config(cases(12))]

    #[test]
    fn theorem_c_the_best_map_beats_the_best_constant_map(problem in problems()) {
        for shares in [problem.frequencies(), problem.balanced()] {
            let start = problem.batch.x.row(0).to_owned();
            let best = climb(&start, |e| -problem.mean_loss(&problem.constant(e), &shares));
            let collapsed = problem.mean_loss(&problem.constant(&best), &shares);
            let by_class: Vec<_> = (0..problem.batch.classes)
                .map(|class| climb(&best, |e| problem.log_probability(e, class)))
                .collect();
            let spread = problem.mean_loss(&by_class, &shares);
            // Strictly, and by more than rounding.
            prop_assert!(spread < collapsed - 1e-6, "{spread} against {collapsed}");
        }
    }

    #[test]
    fn theorem_c_balanced_classes_on_their_centres_beat_every_constant_map(problem in problems()) {
        let problem = problem.with_one_centre_a_class();
        let on_centres: Vec<_> = problem.centres.columns().into_iter().map(|c| c.to_owned()).collect();
        let spread = problem.mean_loss(&on_centres, &problem.balanced());
        prop_assert!(spread < (problem.batch.classes as f64).ln() - EXACT);
    }
}

/// Two classes 60 degrees apart, 99 clips of the first for one of the second: pointing all clips
/// away from the second centre costs less than putting each on its own.
#[test]
fn theorem_c_unbalanced_classes_on_their_centres_may_lose_to_a_constant_map() {
    let (sine, cosine) = std::f64::consts::FRAC_PI_3.sin_cos();
    let problem = Problem {
        batch: Batch {
            dims: 2,
            classes: 2,
            x: Array2::ones((1, 2)),
            y: ndarray::array![[1.0, 0.0]],
            seed: Seed::new(0),
        },
        sub_clusters: 1,
        scale: 2.0,
        centres: ndarray::array![[1.0, cosine], [0.0, sine]],
    };
    let shares = [0.99, 0.01];
    let centres = [problem.centres.column(0).to_owned(), problem.centres.column(1).to_owned()];
    let away = &centres[0] - &centres[1];
    let on_centres = problem.mean_loss(&centres, &shares);
    let constant = problem.mean_loss(&problem.constant(&away), &shares);
    assert!(constant < on_centres, "{constant} against {on_centres}");
    assert!(constant >= entropy(&shares));
}

/// The dynamic scale's update has no upper bound: on its own centre each step multiplies it by
/// about sqrt(2), once the own cosine stays above 1 / sqrt(2).
#[test]
fn caveat_the_dynamic_scale_diverges_on_an_embedding_at_its_centre() {
    let centres = Array2::eye(4);
    let x = ndarray::array![[1.0, 0.1, 0.0, 0.0], [1.0, 0.0, 0.1, 0.0]];
    let y = ndarray::array![[1.0, 0.0], [1.0, 0.0]];
    let mut scale = super::super::scale::fixed_scale(4);
    for _ in 0..30 {
        let next = reference::sub_cluster_scale(&x, &centres, &y, 2, scale).scale;
        assert!(next > scale, "{next} after {scale}");
        scale = next;
    }
    assert!(scale > 1e4, "{scale}");
}
