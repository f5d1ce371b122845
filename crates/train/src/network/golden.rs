//! The network against the numbers of an independent implementation, `testdata/golden/encoder.json`.

use std::{fs, path::Path};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Gradients, Tensor, TensorData},
};
use offkey_core::Seed;
use offkey_infer::{BranchConfig, Compute, EncoderConfig, Forward, Kernels, features};
use serde::Deserialize;

use super::{Network, Pass, into_inputs};
use crate::tensors::{FieldPath, collect, values_of};

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    clips: usize,
    samples: usize,
    branches: Vec<BranchConfig>,
    parameters: usize,
    loss: f64,
    embedding_train: Entries,
    embedding_eval: Entries,
    norms: Vec<Norm>,
    gradients: Vec<Gradient>,
}

/// All rows, or some entries as pairs of flat index and value.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entries {
    Sampled(Vec<(usize, f64)>),
    Whole(Vec<Vec<f64>>),
}

#[derive(Deserialize)]
struct Norm {
    name: String,
    mean: Vec<(usize, f64)>,
    variance: Vec<(usize, f64)>,
    mean_l2: f64,
    variance_l2: f64,
}

#[derive(Deserialize)]
struct Gradient {
    name: String,
    shape: Vec<usize>,
    l2: f64,
    entries: Vec<(usize, f64)>,
}

impl Entries {
    fn pairs(&self) -> Vec<(usize, f64)> {
        match self {
            Self::Sampled(pairs) => pairs.clone(),
            Self::Whole(rows) => rows.iter().flatten().copied().enumerate().collect(),
        }
    }
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/encoder.json");
    let text = fs::read_to_string(path).expect("the golden file is part of the repository");
    serde_json::from_str(&text).expect("the golden file has the form its script writes")
}

/// The script's hash, scaled to [-1, 1).
fn uniform(salt: u32, index: usize) -> f64 {
    let mut x = (index as u32).wrapping_mul(0x9E37_79B1);
    x = x.wrapping_add(salt.wrapping_mul(0x85EB_CA77).wrapping_add(1));
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^= x >> 16;
    f64::from(x) / 2.0_f64.powi(31) - 1.0
}

fn waveforms(clips: usize, samples: usize) -> Vec<Vec<f32>> {
    let sample = |clip: usize, n: usize| {
        let tone = 300.0 + 170.0 * clip as f64;
        let angle = 2.0 * std::f64::consts::PI * tone * n as f64 / 16_000.0;
        let noise = uniform(2000 + clip as u32, n);
        (0.05 * (clip + 1) as f64 * noise + 0.2 * angle.sin()) as f32
    };
    (0..clips).map(|clip| (0..samples).map(|n| sample(clip, n)).collect()).collect()
}

/// Sets every tensor by the script's formulas, in the order of the fields.
#[derive(Default)]
struct Filler {
    path: FieldPath,
    parameters: u32,
    norms: u32,
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.leave(container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let shape = param.dims();
        let receptive: usize = shape.iter().skip(2).product();
        let fans = shape.iter().take(2).sum::<usize>() * receptive;
        let (salt, offset, factor) = match name.rsplit('.').next() {
            Some("gamma") => (self.parameters, 1.0, 0.2),
            Some("beta") => (self.parameters, 0.0, 0.1),
            Some("running_mean") => (1000 + self.norms, 0.0, 0.1),
            Some("running_variance") => (1500 + self.norms, 1.0, 0.5),
            _ => (self.parameters, 0.0, (6.0 / fans as f64).sqrt()),
        };
        let is_running = salt >= 1000;
        self.parameters += u32::from(!is_running);
        self.norms += u32::from(name.ends_with("running_variance"));
        param.map(|old| {
            let count = shape.iter().product();
            let values: Vec<f32> =
                (0..count).map(|i| (offset + factor * uniform(salt, i)) as f32).collect();
            let new = Tensor::from_data(TensorData::new(values, shape), &old.device());
            if is_running { new } else { new.require_grad() }
        })
    }
}

/// Shape and gradient of every parameter, in the order of the fields.
struct GradientReader<'a> {
    gradients: &'a mut Gradients,
    read: Vec<(Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for GradientReader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(self.gradients) {
            self.read.push((param.dims().to_vec(), values_of(gradient)));
        }
    }
}

fn l2(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// Largest difference at the entries, relative to the root mean square of all values.
fn error(values: &[f32], expected: &[(usize, f64)]) -> f64 {
    let rms = l2(values) / (values.len() as f64).sqrt();
    let differences = expected.iter().map(|&(i, value)| (f64::from(values[i]) - value).abs());
    differences.fold(0.0, f64::max) / rms
}

fn check(case: &Case, kernels: Kernels) {
    let compute = Compute { kernels, ..Compute::default() };
    let config = EncoderConfig {
        clip_s: case.samples as f64 / 16_000.0,
        branches: case.branches.clone(),
        ..EncoderConfig::default()
    };
    assert_eq!(config.parameters(), case.parameters);
    let device = Device::flex().autodiff();
    let network = Network::new(&config, Seed::new(0), &device, compute);
    let network = network.map(&mut Filler::default());
    let features = features::of_batch(&config, &waveforms(case.clips, case.samples));

    let inputs = into_inputs(features.clone(), &config, &Device::flex());
    let evaluated = values_of(network.valid().forward(inputs, &mut Pass::Evaluate));
    let context = format!("{}, {kernels}", case.name);
    let found = error(&evaluated, &case.embedding_eval.pairs());
    assert!(found < 1e-4, "{context}: evaluated embedding is off by {found:.1e}");

    let mut pass = Pass::Train(Vec::new());
    let embedding = network.forward(into_inputs(features, &config, &device), &mut pass);
    let found = error(&values_of(embedding.clone()), &case.embedding_train.pairs());
    assert!(found < 1e-3, "{context}: training embedding is off by {found:.1e}");
    check_statistics(case, &context, pass);

    let loss = directed_loss(embedding, &device);
    approx::assert_relative_eq!(f64::from(values_of(loss.clone())[0]), case.loss, epsilon = 1e-3);
    let mut gradients = loss.backward();
    let mut reader = GradientReader { gradients: &mut gradients, read: Vec::new() };
    network.visit(&mut reader);
    assert_eq!(reader.read.len(), case.gradients.len(), "{context}: parameters with a gradient");
    // In larger networks a value within rounding of zero, or of another maximum, falls on the other
    // side of a ReLU or a pooling here and there, which moves single gradients by a few percent.
    let (tolerance, of_length) =
        if case.name == "one second" { (1e-3, 5e-3) } else { (5e-2, 2e-2) };
    for ((shape, values), expected) in reader.read.iter().zip(&case.gradients) {
        let context = format!("{context}: gradient of {}", expected.name);
        assert_eq!(*shape, expected.shape, "{context}");
        let found = error(values, &expected.entries);
        assert!(found < tolerance, "{context} is off by {found:.1e}");
        let length = l2(values) / expected.l2;
        assert!((length - 1.0).abs() < of_length, "{context} is {length} times as long");
    }
}

fn check_statistics(case: &Case, context: &str, pass: Pass) {
    let Pass::Train(statistics) = pass else { return };
    assert_eq!(statistics.len(), case.norms.len(), "{context}: norms visited");
    for (batch, expected) in statistics.into_iter().zip(&case.norms) {
        let mean = values_of(batch.mean);
        let variance = values_of(batch.variance);
        // Means are judged by the deviations: where temporal means are subtracted they are zero.
        let deviation = (expected.variance_l2 / (variance.len() as f64).sqrt()).sqrt();
        let differences = expected.mean.iter().map(|&(i, m)| (f64::from(mean[i]) - m).abs());
        let of_mean = differences.fold(0.0, f64::max) / deviation;
        let found = of_mean.max(error(&variance, &expected.variance));
        assert!(found < 1e-3, "{context}: statistics of {} are off by {found:.1e}", expected.name);
        let of_lengths = (l2(&mean) - expected.mean_l2).abs() / deviation;
        assert!(of_lengths < 1e-3 * (mean.len() as f64).sqrt(), "{context}: {}", expected.name);
        approx::assert_relative_eq!(l2(&variance), expected.variance_l2, max_relative = 1e-3);
    }
}

/// The script's scalar loss: the sum of the unit embeddings times fixed numbers.
fn directed_loss(embedding: Tensor<2>, device: &Device) -> Tensor<1> {
    let [clips, dims] = embedding.dims();
    let direction: Vec<f32> = (0..clips * dims).map(|i| uniform(3000, i) as f32).collect();
    let direction: Tensor<2> = Tensor::from_data(TensorData::new(direction, [clips, dims]), device);
    let length = embedding.clone().square().sum_dim(1).sqrt();
    (direction * embedding / length).sum()
}

#[test]
fn plain_layers_agree_with_the_independent_implementation() {
    for case in &golden().cases {
        check(case, Kernels::Reference);
    }
}

#[test]
fn fast_kernels_agree_with_the_independent_implementation() {
    for case in &golden().cases {
        check(case, Kernels::Auto);
    }
}

#[test]
fn the_trained_tensors_are_those_that_inference_expects() {
    let paper = EncoderConfig::default();
    let with_all = EncoderConfig { bias: true, squeeze_excitation: true, ..paper.clone() };
    let without_affine = EncoderConfig { batch_norm_affine: false, ..paper.clone() };
    for config in [paper, with_all, without_affine] {
        let device = Device::flex();
        let network = Network::new(&config, Seed::new(0), &device, Compute::default());
        let found = collect(&network).0.into_iter().map(|(name, tensor)| (name, tensor.shape));
        let mut expected = config.tensors();
        expected.sort();
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn inference_agrees_with_plain_layers_where_kernels_do_not_cover_the_architecture() {
    let small = EncoderConfig { clip_s: 1.0, ..EncoderConfig::default() };
    let with_all = EncoderConfig { bias: true, squeeze_excitation: true, ..small.clone() };
    let without_affine = EncoderConfig { batch_norm_affine: false, ..small };
    for config in [with_all, without_affine] {
        let device = Device::flex().autodiff();
        let network = Network::new(&config, Seed::new(0), &device, Compute::default());
        let network = network.map(&mut Filler::default());
        let features = features::of_batch(&config, &waveforms(2, config.clip_samples()));
        let inputs = into_inputs(features.clone(), &config, &Device::flex());
        let expected = values_of(network.valid().forward(inputs, &mut Pass::Evaluate));
        let expected: Vec<(usize, f64)> = expected.into_iter().map(f64::from).enumerate().collect();
        for kernels in [Kernels::Auto, Kernels::Reference] {
            let inference = offkey_infer::Network::new(&config, &collect(&network), kernels);
            let found = error(&inference.forward(features.clone()), &expected);
            assert!(found < 1e-4, "{config:?} {kernels}: off by {found:.1e}");
        }
    }
}
