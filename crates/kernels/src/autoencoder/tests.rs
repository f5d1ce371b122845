//! Laws of the step: its twin on the tape, its threads, its instruction sets.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use super::*;
use crate::reference::tape::{Image, Tape};

/// Pseudo-random values in [-1, 1), the same for the same salt.
fn uniform(salt: u32, count: usize) -> Vec<f32> {
    let value = |index: u32| {
        let mut x = index.wrapping_mul(0x9E37_79B1) ^ salt.wrapping_mul(0x85EB_CA77);
        x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
        x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
        (x ^ (x >> 16)) as f32 / 2.0_f32.powi(31) - 1.0
    };
    (0..count as u32).map(value).collect()
}

/// An autoencoder with parameters that keep every layer busy, and rows to step on.
fn example(widths: &[usize], rows: usize, level: Level) -> (AutoencoderSteps, Vec<Vec<f32>>) {
    let mut steps = AutoencoderSteps::new(widths).unwrap().on(level).unwrap();
    let mut layers = steps.parameters();
    for (salt, parameters) in (0..).zip(&mut layers) {
        parameters.weight = uniform(salt, parameters.weight.len());
        parameters.shift = uniform(salt + 100, parameters.shift.len());
        for gamma in parameters.gamma.iter_mut().flatten() {
            *gamma = 0.75;
        }
    }
    steps.set(&layers).unwrap();
    let rows = (0..rows).map(|row| uniform(1000 + row as u32, widths[0])).collect();
    (steps, rows)
}

fn step(steps: &mut AutoencoderSteps, rows: &[Vec<f32>]) -> f64 {
    steps.step(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
}

/// Gradients as parameters are given, read through an optimiser that puts them in their place.
fn gradients(steps: &AutoencoderSteps) -> Vec<DenseParameters> {
    let mut steps = steps.clone();
    for slope in steps.slopes() {
        slope.values.copy_from_slice(slope.gradient);
    }
    steps.parameters()
}

/// The same step by plain double-precision layers: error, gradients, statistics. A dense layer is a
/// convolution over a single pixel.
fn by_tape(
    steps: &AutoencoderSteps,
    rows: &[Vec<f32>],
) -> (f64, Vec<DenseParameters>, Vec<[Vec<f64>; 2]>) {
    let layers = steps.parameters();
    let mut params: Vec<&[f32]> = Vec::new();
    for layer in &layers {
        params.push(&layer.weight);
        params.extend(layer.gamma.as_deref());
        params.push(&layer.shift);
    }
    let mut tape = Tape::new(&params);
    let values: Vec<f64> = rows.iter().flatten().map(|&value| f64::from(value)).collect();
    let mut x =
        tape.leaf(Image { shape: [rows.len(), rows[0].len(), 1, 1], values: values.clone() });
    let mut place = 0;
    for layer in &layers {
        x = tape.conv(x, place, layer.shift.len(), 1, [1, 1]);
        if layer.gamma.is_some() {
            x = tape.norm(x, Some([place + 1, place + 2]), None);
            x = tape.relu(x);
        }
        place += 3;
    }
    let bias = &layers.last().unwrap().shift;
    let differences: Vec<f64> = tape
        .output()
        .iter()
        .zip(bias.iter().cycle())
        .zip(&values)
        .map(|((output, &bias), value)| output + f64::from(bias) - value)
        .collect();
    let scale = 1.0 / differences.len() as f64;
    let error = scale * differences.iter().map(|x| x * x).sum::<f64>();
    let slope: Vec<f64> = differences.iter().map(|x| 2.0 * scale * x).collect();
    let mut gradients =
        tape.backward(&slope).into_iter().map(|g| g.iter().map(|&x| x as f32).collect());
    let gradients = layers.iter().map(|layer| {
        let mut next = || gradients.next().unwrap();
        let (weight, gamma, shift): (Vec<f32>, _, Vec<f32>) =
            (next(), layer.gamma.as_ref().map(|_| next()), next());
        let of_bias =
            |feature: usize| slope.iter().skip(feature).step_by(shift.len()).sum::<f64>() as f32;
        let shift = match gamma {
            Some(_) => shift,
            None => (0..shift.len()).map(of_bias).collect(),
        };
        DenseParameters { weight, gamma, shift }
    });
    (error, gradients.collect(), tape.statistics.clone())
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let largest = expected.iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-4 * largest, "{what}: {found}, expected {expected}");
    }
}

#[test]
fn a_step_is_that_of_plain_layers_at_every_level() {
    // Odd widths, one beyond a panel; fewer rows than a block, and several blocks.
    for (widths, rows) in [(&[5, 7, 3, 7][..], 9), (&[40, 33, 8, 33], 70), (&[3, 2], 2)] {
        for level in Level::available() {
            let (mut steps, rows) = example(widths, rows, level);
            let (error, expected, statistics) = by_tape(&steps, &rows);
            let found = step(&mut steps, &rows);
            assert!((found - error).abs() < 1e-5 * error, "{found}, expected {error}");
            for ((place, found), expected) in gradients(&steps).iter().enumerate().zip(&expected) {
                let what =
                    |part: &str| format!("{part} of layer {place} of {widths:?}, {}", level.name());
                assert_close(&found.weight, &expected.weight, &what("weight"));
                assert_close(&found.shift, &expected.shift, &what("shift"));
                assert_eq!(found.gamma.is_some(), expected.gamma.is_some());
                if let (Some(found), Some(expected)) = (&found.gamma, &expected.gamma) {
                    assert_close(found, expected, &what("gamma"));
                }
            }
            for (found, expected) in steps.statistics().zip(&statistics) {
                for (found, expected) in found.iter().zip(expected) {
                    let expected: Vec<f32> = expected.iter().map(|&x| x as f32).collect();
                    assert_close(found, &expected, "statistics");
                }
            }
        }
    }
}

#[test]
fn a_smaller_step_after_a_larger_one_is_as_if_alone() {
    let (fresh, rows) = example(&[40, 33, 8, 33], 70, Level::best());
    let mut alone = fresh.clone();
    let error = step(&mut alone, &rows[..9]);
    let mut after = fresh;
    step(&mut after, &rows);
    assert_eq!(step(&mut after, &rows[..9]).to_bits(), error.to_bits());
    assert_eq!(gradients(&after), gradients(&alone));
}

#[test]
fn threads_change_no_bit() {
    let (steps, rows) = example(&[40, 33, 8, 33], 200, Level::best());
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut steps = steps.clone();
        let error = pool.install(|| step(&mut steps, &rows));
        (error.to_bits(), gradients(&steps))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let widths = |widths: &[usize]| AutoencoderSteps::new(widths).unwrap_err();
    assert!(matches!(widths(&[4]), AutoencoderStepError::Widths { .. }));
    assert!(matches!(widths(&[4, 0]), AutoencoderStepError::Widths { .. }));
    let mut steps = AutoencoderSteps::new(&[4, 2]).unwrap();
    assert_eq!(steps.step(&[]), Err(AutoencoderStepError::NoRows));
    let error = steps.step(&[&[0.0; 4], &[0.0; 5]]).unwrap_err();
    assert_eq!(error.to_string(), "a row has 5 values, expected 4");
    let layer = |gamma| DenseParameters { weight: vec![0.0; 8], gamma, shift: vec![0.0; 2] };
    let error = steps.set(&[layer(None), layer(None)]).unwrap_err();
    assert_eq!(error.to_string(), "gamma has 0 values, expected 2");
    let error = steps.set(&[layer(Some(vec![1.0; 2]))]).unwrap_err();
    assert_eq!(error.to_string(), "parameters of 1 layers, expected 2");
}
