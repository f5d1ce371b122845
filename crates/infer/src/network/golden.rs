//! The network against the numbers of an independent implementation, `testdata/golden/encoder.json`.

use std::{fs, path::Path};

use serde::Deserialize;

use super::{Forward, Network};
use crate::{
    BranchConfig, EncoderConfig, Kernels, features,
    weights::{NamedTensor, NamedTensors},
};

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
    embedding_eval: Entries,
}

/// All rows, or some entries as pairs of flat index and value.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entries {
    Sampled(Vec<(usize, f64)>),
    Whole(Vec<Vec<f64>>),
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

/// Every tensor by the script's formulas, in the order of the layers.
fn filled(config: &EncoderConfig) -> NamedTensors {
    let (mut parameters, mut norms) = (0, 0);
    let mut tensors = NamedTensors::default();
    for (name, shape) in config.tensors() {
        let receptive: usize = shape.iter().skip(2).product();
        let fans = shape.iter().take(2).sum::<usize>() * receptive;
        let (salt, offset, factor) = match name.rsplit('.').next() {
            Some("gamma") => (parameters, 1.0, 0.2),
            Some("beta") => (parameters, 0.0, 0.1),
            Some("running_mean") => (1000 + norms, 0.0, 0.1),
            Some("running_variance") => (1500 + norms, 1.0, 0.5),
            _ => (parameters, 0.0, (6.0 / fans as f64).sqrt()),
        };
        parameters += u32::from(salt < 1000);
        norms += u32::from(name.ends_with("running_variance"));
        let value = |index| (offset + factor * uniform(salt, index)) as f32;
        let values = (0..shape.iter().product()).map(value).collect();
        tensors.0.insert(name, NamedTensor { shape, values });
    }
    tensors
}

/// Largest difference at the entries, relative to the root mean square of all values.
fn error(values: &[f32], expected: &[(usize, f64)]) -> f64 {
    let squares = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let rms = (squares / values.len() as f64).sqrt();
    let differences = expected.iter().map(|&(i, value)| (f64::from(values[i]) - value).abs());
    differences.fold(0.0, f64::max) / rms
}

fn check(kernels: Kernels) {
    for case in &golden().cases {
        let config = EncoderConfig {
            clip_s: case.samples as f64 / 16_000.0,
            branches: case.branches.clone(),
            ..EncoderConfig::default()
        };
        assert_eq!(config.parameters(), case.parameters);
        let network = Network::new(&config, &filled(&config), kernels);
        // The kernels cover channels in sixteens, so not all of "several resolutions".
        let plain = network.kernels().iter().filter(|name| *name == "reference").count();
        let expected = match kernels {
            Kernels::Reference => config.branches.len(),
            Kernels::Auto if case.name == "several resolutions" => plain,
            Kernels::Auto => 0,
        };
        assert_eq!(plain, expected, "{}, {kernels}", case.name);
        let features = features::of_batch(&config, &waveforms(case.clips, case.samples));
        let found = error(&network.forward(features), &case.embedding_eval.pairs());
        assert!(found < 1e-4, "{}, {kernels}: the embedding is off by {found:.1e}", case.name);
    }
}

#[test]
fn plain_loops_agree_with_the_independent_implementation() {
    check(Kernels::Reference);
}

#[test]
fn fast_kernels_agree_with_the_independent_implementation() {
    check(Kernels::Auto);
}
