//! Laws of the branch: its twin, its threads, its batches.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use proptest::prelude::*;

use super::*;
use crate::reference::spectrum::spectrum_branch;
use crate::simd::Level;

/// Pseudo-random values in [-1, 1), the same for the same salt.
fn uniform(salt: u32, count: usize) -> Vec<f32> {
    (0..count as u32)
        .map(|index| {
            let mut x = index.wrapping_mul(0x9E37_79B1) ^ salt.wrapping_mul(0x85EB_CA77);
            x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
            x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
            ((x ^ (x >> 16)) as f32 / 2.0_f32.powi(31)) - 1.0
        })
        .collect()
}

struct Step {
    plan: SpectrumPlan,
    weights: Vec<Vec<f32>>,
    spectra: Vec<f32>,
    d_out: Vec<f32>,
}

impl Step {
    fn new(config: SpectrumConfig, clips: usize, level: Level) -> Self {
        let plan = SpectrumPlan::new(config).unwrap().on(level).unwrap();
        let weights = (0..)
            .zip(plan.parameters())
            .map(|(salt, [filters, channels, taps])| {
                // Sums of about one: ReLUs split evenly and nothing drowns in rounding.
                let scale = (3.0 / (channels * taps) as f32).sqrt();
                let values = uniform(salt, filters * channels * taps);
                values.into_iter().map(|value| scale * value).collect()
            })
            .collect();
        let spectra = uniform(100, clips * plan.input_len());
        let d_out = uniform(200, clips * plan.output_len());
        Self { plan, weights, spectra, d_out }
    }

    fn weights(&self) -> Vec<&[f32]> {
        self.weights.iter().map(Vec::as_slice).collect()
    }

    fn run(&self, workspace: &mut SpectrumWorkspace) -> (Vec<f32>, Vec<Vec<f32>>) {
        let mut out = vec![f32::NAN; self.d_out.len()];
        self.plan.forward(&self.weights(), &self.spectra, workspace, &mut out).unwrap();
        let gradients = self.plan.backward(&self.weights(), &self.d_out, workspace).unwrap();
        (out, gradients)
    }

    fn infer(&self) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.d_out.len()];
        let branch = SpectrumInference::new(self.plan.clone(), &self.weights()).unwrap();
        branch.run(&self.spectra, &mut out).unwrap();
        out
    }
}

fn config(bins: usize, filters: usize, kernels: &[usize], strides: &[usize]) -> SpectrumConfig {
    SpectrumConfig { bins, filters, kernels: kernels.to_vec(), strides: strides.to_vec() }
}

/// Single-precision sums of some hundred products against double-precision ones, relative to the
/// largest of them.
fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3, |largest, value| f64::max(largest, value.abs()));
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= 2e-5 * largest, "{what}[{index}]: {found} against {expected}");
    }
}

fn check_against_twin(config: &SpectrumConfig, clips: usize) {
    for level in Level::available() {
        let step = Step::new(config.clone(), clips, level);
        let (outputs, gradients) = spectrum_branch(
            &step.weights(),
            &config.kernels,
            &config.strides,
            &step.spectra,
            config.bins,
            &step.d_out,
        );
        let (found, found_gradients) = step.run(&mut SpectrumWorkspace::default());
        let what = format!("{} {config:?} {clips} clips", level.name());
        assert_close(&found, &outputs, &format!("output, {what}"));
        for (layer, (found, expected)) in found_gradients.iter().zip(&gradients).enumerate() {
            assert_close(found, expected, &format!("gradient {layer}, {what}"));
        }
        assert_eq!(step.infer(), found, "inference, {what}");
    }
}

#[test]
fn equals_its_twin_on_chosen_shapes() {
    for (config, clips) in [
        (config(500, 16, &[32, 8, 4], &[8, 4, 2]), 3),
        (config(700, 40, &[25, 9, 3], &[7, 5, 2]), 5),
        (config(333, 5, &[16], &[4]), 2),
        (config(90, 33, &[3, 2], &[5, 3]), 1),
        (config(1, 1, &[4, 3, 2], &[2, 2, 2]), 1),
        (config(120, 64, &[70, 33], &[3, 1]), 1),
        (config(60, 8, &[9, 5], &[3, 2]), 9),
    ] {
        check_against_twin(&config, clips);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn equals_its_twin_on_any_shape(
        bins in 1_usize..200,
        filters in 1_usize..40,
        layers in prop::collection::vec((1_usize..12, 1_usize..7), 1..4),
        clips in 1_usize..7,
    ) {
        let (kernels, strides): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
        check_against_twin(&config(bins, filters, &kernels, &strides), clips);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let step = Step::new(config(3_000, 32, &[64, 16, 4], &[16, 8, 2]), 19, Level::best());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (step.run(&mut SpectrumWorkspace::default()), step.infer()))
    };
    let alone = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == alone, "{threads} threads");
    }
}

#[test]
fn a_clip_does_not_depend_on_its_batch() {
    let step = Step::new(config(2_000, 24, &[64, 16, 4], &[16, 8, 2]), 33, Level::best());
    let together = step.infer();
    let branch = SpectrumInference::new(step.plan.clone(), &step.weights()).unwrap();
    let len = step.plan.output_len();
    for (spectrum, expected) in step.spectra.chunks(2_000).zip(together.chunks(len)) {
        let mut alone = vec![0.0; len];
        branch.run(spectrum, &mut alone).unwrap();
        assert_eq!(alone, expected);
    }
}

#[test]
fn a_used_workspace_changes_nothing() {
    let mut workspace = SpectrumWorkspace::default();
    let shape = config(900, 24, &[32, 8], &[8, 4]);
    let steps = [7, 2, 9].map(|clips| Step::new(shape.clone(), clips, Level::best()));
    for step in &steps {
        assert!(step.run(&mut workspace) == step.run(&mut SpectrumWorkspace::default()));
    }
}

#[test]
fn the_papers_branch_has_the_papers_shapes() {
    let plan = SpectrumPlan::new(SpectrumConfig::default()).unwrap();
    assert_eq!(plan.output_shape(), [128, 10]);
    assert_eq!(plan.parameters(), [[128, 1, 256], [128, 128, 64], [128, 128, 16]]);
    let longer = SpectrumConfig { bins: 144_000, ..SpectrumConfig::default() };
    assert_eq!(SpectrumPlan::new(longer).unwrap().output_shape(), [128, 18]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let check = |config: SpectrumConfig, expected: &str| {
        assert_eq!(SpectrumPlan::new(config).unwrap_err().to_string(), expected);
    };
    check(config(0, 8, &[4], &[2]), "`bins` is zero, expected at least one");
    check(config(9, 8, &[4, 0], &[2, 2]), "`kernels` is zero, expected at least one");
    check(
        config(9, 8, &[4], &[2, 2]),
        "1 kernels and 2 strides, expected as many and at least one",
    );

    let step = Step::new(config(90, 8, &[4, 4], &[2, 2]), 2, Level::Portable);
    let weights = step.weights();
    let mut workspace = SpectrumWorkspace::default();
    let mut out = vec![0.0; step.d_out.len()];
    let error = step.plan.backward(&weights, &step.d_out, &mut workspace).unwrap_err();
    assert_eq!(error, SpectrumError::NoForward { clips: 2 });
    let error =
        step.plan.forward(&weights[..1], &step.spectra, &mut workspace, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "1 weights, expected 2");
    let error =
        step.plan.forward(&weights, &step.spectra[1..], &mut workspace, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "spectra has 179 values, expected 90");
}
