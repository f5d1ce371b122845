//! What the tests of the losses share: every configuration, its double-precision twin, random
//! batches and numeric gradients.

#![expect(clippy::unwrap_used, reason = "a mean of no clips would be a broken test")]
#![expect(clippy::float_cmp, reason = "values that went the same way are equal to the last bit")]

mod custom;
mod golden;
mod laws;
mod theory;
mod vectors;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, Array2, s};
use offkey_core::Seed;
use proptest::prelude::*;

use super::*;

/// Single-precision tensors against double precision, relative to 1 + the value: losses of scale
/// 64 lose a factor of 64 of their seven digits, their gradients a little more.
const TENSOR_TOLERANCE: f64 = 1e-4;

/// So many random cases, the same in every run.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        rng_seed: proptest::test_runner::RngSeed::Fixed(2024),
        failure_persistence: None,
        ..Default::default()
    }
}

/// Embeddings, centres and labels of the test vectors: 4 dimensions, 3 classes of 2 sub-clusters,
/// 4 clips.
fn example() -> (Array2<f64>, Array2<f64>, Array2<f64>) {
    let x = Array2::from_shape_fn((4, 4), |(b, i)| {
        let (b, i) = (b as f64, i as f64);
        (0.3 + 0.9 * b + 0.5 * i + 0.07 * b * i).cos()
    });
    let w = Array2::from_shape_fn((4, 6), |(i, j)| {
        let (i, j) = (i as f64, j as f64);
        (1.0 + 0.7 * i + 1.3 * j + 0.11 * i * j).sin()
    });
    let y = ndarray::array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.25, 0.0, 0.75], [0.0, 0.6, 0.4]];
    (x, w, y)
}

/// The first sub-centre of each class.
fn first_of_class(w: &Array2<f64>) -> Array2<f64> {
    w.slice(s![.., ..;2]).to_owned()
}

/// Every label all on its largest entry.
fn hardened(y: &Array2<f64>) -> Array2<f64> {
    let mut hard = Array2::zeros(y.dim());
    for (clip, row) in y.rows().into_iter().enumerate() {
        hard[[clip, reference::argmax(row)]] = 1.0;
    }
    hard
}

fn autodiff_cpu() -> Device {
    Device::flex().autodiff()
}

fn tensor(values: &Array2<f64>, device: &Device) -> Tensor<2> {
    let data: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(data, [values.nrows(), values.ncols()]), device)
}

fn array(values: Tensor<2>) -> Array2<f64> {
    super::sphere::to_array(values).mapv(f64::from)
}

/// Every loss in every variant that differs in its formula.
fn every_loss() -> Vec<LossConfig> {
    use LossConfig::{
        Aam, Adacos, Adaproj, Compactness, Cosface, CrossEntropy, IntraClassCompactness,
        IntraClassCompactnessCrossEntropy, NoisyArcmix, SubClusterAdacos,
    };
    let mut all = Vec::new();
    for normalized in [true, false] {
        all.push(Compactness(CompactnessConfig { normalized, ..Default::default() }));
        all.push(IntraClassCompactness(IntraClassCompactnessConfig {
            normalized,
            ..Default::default()
        }));
        all.push(IntraClassCompactnessCrossEntropy(IntraClassCompactnessCrossEntropyConfig {
            normalized,
            ..Default::default()
        }));
    }
    all.push(CrossEntropy(CrossEntropyConfig {}));
    all.push(Aam(AamConfig::default()));
    all.push(NoisyArcmix(NoisyArcMixConfig::default()));
    all.push(Cosface(CosFaceConfig::default()));
    for scale in [ScaleRule::Fixed, ScaleRule::Dynamic] {
        all.push(Adacos(AdaCosConfig { scale, ..Default::default() }));
        for sub_clusters in [1, 3] {
            all.push(SubClusterAdacos(SubClusterAdaCosConfig {
                sub_clusters,
                scale,
                ..Default::default()
            }));
            all.push(Adaproj(AdaProjConfig { sub_clusters, scale, ..Default::default() }));
        }
    }
    let trainable: Vec<_> = all.iter().map(LossConfig::with_trainable_centres).collect();
    all.extend(trainable);
    all.dedup();
    all
}

/// Whether the loss sees directions alone.
fn ignores_length(config: &LossConfig) -> bool {
    match config {
        LossConfig::Compactness(own) => own.normalized,
        LossConfig::IntraClassCompactness(own) => own.normalized,
        LossConfig::IntraClassCompactnessCrossEntropy(_)
        | LossConfig::CrossEntropy(_)
        | LossConfig::Custom(_) => false,
        LossConfig::Aam(_)
        | LossConfig::NoisyArcmix(_)
        | LossConfig::Cosface(_)
        | LossConfig::Adacos(_)
        | LossConfig::SubClusterAdacos(_)
        | LossConfig::Adaproj(_) => true,
    }
}

fn init(
    config: &LossConfig,
    dims: usize,
    classes: usize,
    seed: Seed,
    device: &Device,
) -> Result<LossHead, LossError> {
    config.head(&LossRegistry::default(), (dims, classes), seed, device)
}

/// The matrices of a head, centres first; a loss without centres has its linear layer alone.
fn matrices(head: &mut LossHead) -> Vec<&mut Param<Tensor<2>>> {
    head.state.matrices.iter_mut().collect()
}

fn read_matrices(head: &mut LossHead) -> Vec<Array2<f64>> {
    let all = matrices(head);
    all.into_iter().map(|matrix| array(matrix.val())).collect()
}

/// Changes the values of every matrix of a head.
fn write_matrices(head: &mut LossHead, change: impl Fn(&Array2<f64>) -> Array2<f64>) {
    for matrix in matrices(head) {
        let changed = change(&array(matrix.val()));
        let device = matrix.val().device();
        *matrix = matrix.clone().map(|_| tensor(&changed, &device));
    }
}

/// Loss of each clip in double precision, with a head's own matrices and scale.
fn twin(config: &LossConfig, head: &mut LossHead, x: &Array2<f64>, y: &Array2<f64>) -> Array1<f64> {
    let scale = head.scale().unwrap_or(f64::NAN);
    let w = read_matrices(head);
    match config {
        LossConfig::Compactness(own) => reference::compactness(x, &w[0], own.normalized),
        LossConfig::IntraClassCompactness(own) => {
            reference::intra_class_compactness(x, &w[0], y, own.normalized)
        }
        LossConfig::IntraClassCompactnessCrossEntropy(own) => {
            reference::intra_class_compactness(x, &w[0], y, own.normalized)
                + reference::cross_entropy(x, &w[1], y) * own.cross_entropy_weight
        }
        LossConfig::CrossEntropy(_) => reference::cross_entropy(x, &w[0], y),
        LossConfig::Aam(own) => reference::aam(x, &w[0], y, own.scale, own.margin),
        LossConfig::NoisyArcmix(own) => reference::noisy_arcmix(x, &w[0], y, own.scale, own.margin),
        LossConfig::Cosface(own) => reference::cosface(x, &w[0], y, own.scale, own.margin),
        LossConfig::Adacos(_) => reference::adacos(x, &w[0], y, scale),
        LossConfig::SubClusterAdacos(own) => {
            reference::sub_cluster_adacos(x, &w[0], y, own.sub_clusters, scale)
        }
        LossConfig::Adaproj(own) => reference::adaproj(x, &w[0], y, own.sub_clusters, scale),
        LossConfig::Custom(name) => panic!("`{name}` has no twin"),
    }
}

/// Central differences of a function of a matrix; exact to about 1e-9 for these losses.
fn numeric_gradient(at: &Array2<f64>, f: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
    let step = 1e-5;
    Array2::from_shape_fn(at.dim(), |index| {
        let mut moved = at.clone();
        moved[index] = at[index] + step;
        let above = f(&moved);
        moved[index] = at[index] - step;
        (above - f(&moved)) / (2.0 * step)
    })
}

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let allowed = tolerance * (1.0 + expected.abs());
    assert!(
        (found - expected).abs() <= allowed,
        "{what}: found {found}, expected {expected} within {allowed}"
    );
}

fn assert_all_close<'a>(
    found: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
    what: &str,
) {
    let (found, expected) = (found.into_iter(), expected.into_iter());
    for (index, (&found, &expected)) in found.zip(expected).enumerate() {
        assert_close(found, expected, tolerance, &format!("{what} [{index}]"));
    }
}

/// A random batch: embeddings `[clips, dims]` and soft labels of at most two classes.
#[derive(Debug, Clone)]
struct Batch {
    dims: usize,
    classes: usize,
    x: Array2<f64>,
    y: Array2<f64>,
    seed: Seed,
}

/// Batches small enough to read when one fails.
fn batches() -> impl Strategy<Value = Batch> {
    (2..7_usize, 2..6_usize, 1..6_usize, any::<u64>()).prop_flat_map(
        |(dims, classes, clips, seed)| {
            let x = prop::collection::vec(-2.0..2.0_f64, clips * dims);
            let label = (0..classes, 0..classes, prop_oneof![Just(1.0), 0.0..1.0]);
            let labels = prop::collection::vec(label, clips);
            (x, labels).prop_filter_map("an embedding is nearly zero", move |(x, labels)| {
                let x = Array2::from_shape_vec((clips, dims), x).ok()?;
                let mut y = Array2::zeros((clips, classes));
                for (clip, (first, second, share)) in labels.into_iter().enumerate() {
                    y[[clip, first]] += share;
                    y[[clip, second]] += 1.0 - share;
                }
                let shortest = x.rows().into_iter().map(|row| row.dot(&row));
                (shortest.fold(f64::MAX, f64::min) > 0.1).then_some(Batch {
                    dims,
                    classes,
                    x,
                    y,
                    seed: Seed::new(seed),
                })
            })
        },
    )
}
