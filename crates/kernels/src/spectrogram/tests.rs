//! The branch against its twin, and the laws it keeps.

use proptest::{prelude::*, test_runner::RngSeed};

use crate::reference::spectrogram::branch;
use crate::reference::tape::{Image, Tape};
use crate::simd::{LANES, Lane, Level, dispatch};
use crate::spectrogram::geometry::{ConvPlan, Shape};
use crate::spectrogram::norm::{NO_FLOOR, Reading};
use crate::spectrogram::pack::pack_forward;
use crate::spectrogram::pass::{ConvForward, Skip};
use crate::spectrogram::scratch::Scratch;
use crate::spectrogram::{
    BatchStatistics, SpectrogramConfig, SpectrogramError, SpectrogramInference, SpectrogramPlan,
    Workspace,
};

/// Fixed numbers in [-1, 1) that look like noise.
fn noise(salt: usize, len: usize) -> Vec<f32> {
    let value = |place: usize| {
        let mut x =
            (place as u32).wrapping_mul(0x9e37_79b1) ^ (salt as u32).wrapping_mul(0x85eb_ca77);
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
        x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
        (x ^ (x >> 16)) as f32 / 2.0_f32.powi(31) - 1.0
    };
    (0..len).map(value).collect()
}

/// Kernels as Glorot draws them; gammas around 1, or around 0 with both signs in the stem.
fn parameters(plan: &SpectrogramPlan) -> Vec<Vec<f32>> {
    let draw = |(salt, spec): (usize, &crate::spectrogram::ParameterSpec)| {
        let values = noise(salt, spec.count());
        let (scale, shift) = match &spec.shape[..] {
            [outputs, inputs, rows, cols] => {
                ((6.0 / ((outputs + inputs) * rows * cols) as f32).sqrt(), 0.0)
            }
            _ if spec.name == "stem_norm.gamma" => (1.0, 0.1),
            _ if spec.name.ends_with("gamma") => (0.4, 1.0),
            _ => (0.3, 0.0),
        };
        values.iter().map(|value| shift + scale * value).collect()
    };
    plan.parameters().iter().enumerate().map(draw).collect()
}

struct Case {
    plan: SpectrogramPlan,
    params: Vec<Vec<f32>>,
    spectra: Vec<f32>,
    slope: Vec<f32>,
    clips: usize,
}

impl Case {
    fn new(config: SpectrogramConfig, clips: usize) -> Self {
        let plan = SpectrogramPlan::new(config).expect("the case is valid");
        let params = parameters(&plan);
        let spectra = noise(1000, clips * plan.input_len());
        let slope = noise(2000, clips * plan.output_len());
        Self { plan, params, spectra, slope, clips }
    }

    fn slices(&self) -> Vec<&[f32]> {
        self.params.iter().map(Vec::as_slice).collect()
    }

    /// Features, means and variances, gradients: everything that a step yields.
    fn step(&self, workspace: &mut Workspace) -> Vec<(String, Vec<f32>)> {
        let params = self.slices();
        let output = self.plan.forward(&params, &self.spectra, self.clips, workspace);
        let output = output.expect("the shapes fit");
        let gradients = self.plan.backward(&params, &self.spectra, &self.slope, workspace);
        let mut rows = vec![("features".to_owned(), output.features)];
        for (spec, statistics) in self.plan.batch_norms().iter().zip(output.statistics) {
            rows.push((format!("{} mean", spec.name), statistics.mean));
            rows.push((format!("{} variance", spec.name), statistics.variance));
        }
        for (spec, gradient) in self.plan.parameters().iter().zip(gradients.expect("as before")) {
            rows.push((spec.name.clone(), gradient));
        }
        rows
    }

    /// The same from the twin.
    fn twin(&self) -> Vec<Vec<f64>> {
        let config = self.plan.config();
        let tape = branch(config, &self.slices(), &self.spectra, self.clips, None);
        let slope: Vec<f64> = self.slope.iter().map(|value| f64::from(*value)).collect();
        let gradients = tape.backward(&slope);
        let mut rows = vec![tape.output().to_vec()];
        rows.extend(tape.statistics.into_iter().flatten());
        rows.extend(gradients);
        rows
    }

    fn check(&self) {
        self.check_by(assert_close);
    }

    fn check_by(&self, assert_alike: fn(&str, &[f32], &[f64])) {
        let expected = self.twin();
        for level in Level::available() {
            let plan = self.plan.clone().on(level).expect("the level is available");
            let case = Case {
                plan,
                params: self.params.clone(),
                spectra: self.spectra.clone(),
                slope: self.slope.clone(),
                clips: self.clips,
            };
            let found = case.step(&mut Workspace::new());
            assert_eq!(found.len(), expected.len());
            for ((name, found), expected) in found.iter().zip(&expected) {
                assert_alike(
                    &format!("{} {name} {:?}", level.name(), self.plan.config()),
                    found,
                    expected,
                );
            }
        }
    }
}

/// Single precision through a dozen layers, against the largest value of the tensor.
fn assert_close(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= 1e-3 * largest + 1e-6, "{name} at {place}: {found} {expected}");
    }
}

/// As a whole, for inputs nobody chose: now and then a value within rounding of zero, or of another
/// maximum, falls on the other side of a `ReLU` or a pooling and moves single gradients.
fn assert_close_as_a_whole(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = length(&mut found.iter().zip(expected).map(|(found, e)| f64::from(*found) - e));
    let whole = length(&mut expected.iter().copied());
    assert!(error <= 5e-2 * whole + 1e-5, "{name}: off by {error} of {whole}");
}

fn config(frames: usize, bins: usize, stages: &[usize]) -> SpectrogramConfig {
    SpectrogramConfig {
        frames,
        bins,
        stem_channels: stages[0],
        stage_channels: stages.to_vec(),
        ..SpectrogramConfig::default()
    }
}

#[test]
fn a_step_is_the_twins_on_every_level() {
    Case::new(config(43, 37, &[16, 32]), 3).check();
    Case::new(config(80, 33, &[16, 16, 16]), 2).check();
    Case::new(config(24, 41, &[32]), 1).check();
}

#[test]
fn a_step_without_gains_and_with_another_stride_is_the_twins() {
    let plain = SpectrogramConfig { norm_affine: false, ..config(30, 29, &[16, 32]) };
    Case::new(plain, 2).check();
    for stem_stride in [[1, 1], [3, 4], [4, 3]] {
        Case::new(SpectrogramConfig { stem_stride, ..config(40, 31, &[16, 16]) }, 2).check();
    }
}

proptest! {
    // The same shapes in every run: rounding moves a few gradients of some shapes past any useful bound.
    #![proptest_config(ProptestConfig {
        cases: 12, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    #[test]
    fn a_step_is_the_twins_for_any_size(frames in 7_usize..60, bins in 7_usize..50, clips in 1_usize..4) {
        // A batch of one value per channel has no variance to speak of.
        prop_assume!(frames * bins * clips > 300);
        Case::new(config(frames, bins, &[16, 16]), clips).check_by(assert_close_as_a_whole);
    }
}

#[test]
fn convolution_by_tiles_loses_little_more_than_rounding() {
    let input = Shape { blocks: 4, rows: 20, cols: 33 };
    let conv = ConvPlan::new(0, input, 2, 3, 1);
    let weights = noise(1, 32 * 64 * 9);
    let values = noise(2, 64 * input.rows * input.cols);
    let mut source = vec![Lane::ZERO; input.lanes()];
    let mut image = Image::zeros([1, 64, input.rows, input.cols]);
    for (place, value) in values.iter().enumerate() {
        let (channel, pixel) =
            (place / (input.rows * input.cols), place % (input.rows * input.cols));
        let (row, col) = (pixel / input.cols, pixel % input.cols);
        source[input.row(channel / LANES, row) + col].0[channel % LANES] = *value;
        image.values[place] = f64::from(*value);
    }
    let mut tape = Tape::new(&[&weights]);
    let leaf = tape.leaf(image);
    tape.conv(leaf, 0, 32, 3, [1, 1]);
    let largest = tape.output().iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let plain = Reading {
        scale: vec![Lane([1.0; LANES]); 4],
        shift: vec![Lane::ZERO; 4],
        floor_in: NO_FLOOR,
        floor_out: NO_FLOOR,
    };
    for level in Level::available() {
        let mut output = vec![Lane::ZERO; conv.output.lanes()];
        let pass = ConvForward {
            conv: &conv,
            source: &source,
            reading: &plain,
            weights: &pack_forward(level, &conv, &weights),
            skip: Skip::None,
            rows: 0..input.rows,
            output: &mut output,
            sums: None,
            sums_floor: NO_FLOOR,
            scratch: &mut Scratch::default(),
        };
        dispatch(level, pass);
        for (place, expected) in tape.output().iter().enumerate() {
            let (channel, pixel) =
                (place / (input.rows * input.cols), place % (input.rows * input.cols));
            let lane = conv.output.row(channel / LANES, pixel / input.cols) + pixel % input.cols;
            let error = (f64::from(output[lane].0[channel % LANES]) - expected).abs() / largest;
            // Single precision rounds at 6e-8; the way to the points and back enlarges that by some
            // hundred times, products of different signs included.
            assert!(error < 2e-5, "{} at {place}: {error}", level.name());
        }
    }
}

/// Statistics that a norm might have collected.
fn running(plan: &SpectrogramPlan) -> Vec<BatchStatistics> {
    let draw = |(salt, spec): (usize, &crate::spectrogram::BatchNormSpec)| BatchStatistics {
        mean: noise(3000 + salt, spec.features).iter().map(|value| 0.2 * value).collect(),
        variance: noise(4000 + salt, spec.features).iter().map(|value| 1.0 + 0.5 * value).collect(),
    };
    plan.batch_norms().iter().enumerate().map(draw).collect()
}

#[test]
fn inference_is_the_twins_on_every_level() {
    let shapes = [(43, 37, vec![16, 32]), (80, 33, vec![16, 16, 16]), (23, 90, vec![32])];
    for (frames, bins, stages) in shapes {
        let case = Case::new(config(frames, bins, &stages), 3);
        let running = running(&case.plan);
        let params = case.slices();
        let tape = branch(case.plan.config(), &params, &case.spectra, 3, Some(&running));
        for level in Level::available() {
            let plan = case.plan.clone().on(level).expect("the level is available");
            let inference = SpectrogramInference::new(plan, &params, &running).expect("it fits");
            let features = inference.embed(&case.spectra, 3).expect("the shapes fit");
            assert_close(level.name(), &features, tape.output());
        }
    }
}

#[test]
fn a_clips_features_depend_on_neither_batch_nor_threads() {
    let case = Case::new(config(75, 37, &[16, 32]), 5);
    let inference =
        SpectrogramInference::new(case.plan.clone(), &case.slices(), &running(&case.plan));
    let inference = inference.expect("it fits");
    let embed = |threads: usize, spectra: &[f32]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let clips = spectra.len() / case.plan.input_len();
        let features = pool.expect("a pool starts").install(|| inference.embed(spectra, clips));
        features.expect("the shapes fit")
    };
    let together = embed(1, &case.spectra);
    for threads in [1, 2, 3, 8] {
        let alone = case.spectra.chunks(case.plan.input_len());
        let alone: Vec<f32> = alone.flat_map(|clip| embed(threads, clip)).collect();
        assert!(alone == together && embed(threads, &case.spectra) == together, "{threads}");
    }
}

#[test]
fn threads_change_no_bit() {
    let case = Case::new(config(43, 37, &[16, 32]), 19);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool starts").install(|| case.step(&mut Workspace::new()))
    };
    let one = with(1);
    for threads in [2, 3, 5] {
        assert!(with(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_used_workspace_changes_no_bit() {
    let mut workspace = Workspace::new();
    let large = Case::new(config(43, 37, &[16, 32]), 5);
    let small = Case::new(config(43, 37, &[16, 32]), 2);
    large.step(&mut workspace);
    let bytes = workspace.bytes();
    assert!(small.step(&mut workspace) == small.step(&mut Workspace::new()));
    large.step(&mut workspace);
    assert_eq!(workspace.bytes(), bytes);
}

#[test]
fn a_backward_pass_needs_its_forward_pass() {
    let case = Case::new(config(43, 37, &[16]), 2);
    let mut workspace = Workspace::new();
    let backward = |workspace: &mut Workspace| {
        case.plan.backward(&case.slices(), &case.spectra, &case.slope, workspace)
    };
    let missing = Err(SpectrogramError::NoForward { clips: 2 });
    assert_eq!(backward(&mut workspace), missing);
    case.step(&mut workspace);
    assert_eq!(backward(&mut workspace), missing);
}

#[test]
fn wrong_lengths_are_errors() {
    let case = Case::new(config(43, 37, &[16]), 2);
    let forward = |params: &[&[f32]], spectra: &[f32], clips| {
        let output = case.plan.forward(params, spectra, clips, &mut Workspace::new());
        output.expect_err("the call is wrong").to_string()
    };
    let params = case.slices();
    assert_eq!(forward(&params[1..], &case.spectra, 2), "14 parameters, expected 15");
    assert_eq!(
        forward(&params, &case.spectra[1..], 2),
        "the spectrograms has 3181 values, expected 3182"
    );
    assert_eq!(forward(&params, &[], 0), "a batch without clips has no statistics");
}
