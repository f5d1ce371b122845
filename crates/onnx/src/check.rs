//! Inputs with the outputs that offkey gives for them, to check a runtime by.

use std::f32::consts::TAU;

use ndarray::Array2;
use offkey_infer::{
    ClipShape,
    foreign::{Session, Tensor},
};
use offkey_signal::spectrum;

use crate::{Member, OnnxError, Written, front::Feature, npz::Npz};

/// Clips of a check.
const CLIPS: usize = 3;

/// Inputs of a file, and the outputs that offkey itself computes for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// One per input of the file.
    pub inputs: Vec<Tensor>,
    /// One per output.
    pub outputs: Vec<Tensor>,
}

/// How far a runtime is from offkey.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parity {
    /// Largest difference of a number of an output, relative to the largest number of that output.
    pub difference: f64,
    /// Largest cosine distance of an embedding.
    pub cosine: f64,
}

impl Check {
    /// For clips that sound unlike each other: a steady tone, a swelling one, knocks; each in noise.
    ///
    /// # Errors
    /// [`OnnxError`] when a model cannot embed clips of this shape.
    pub fn new(
        members: &[Member<'_>],
        written: &Written,
        clip: ClipShape,
    ) -> Result<Self, OnnxError> {
        Self::of(members, written, &sounds(clip))
    }

    /// For clips of one's own, of the model's rate and length.
    ///
    /// # Errors
    /// [`OnnxError`] when a model cannot embed them.
    pub fn of(
        members: &[Member<'_>],
        written: &Written,
        waves: &[Vec<f32>],
    ) -> Result<Self, OnnxError> {
        let mut inputs = Vec::new();
        for (port, feature) in written.inputs.iter().zip(&written.features) {
            let values = waves.iter().map(|wave| input_of(feature.as_ref(), wave));
            let values = values.collect::<Result<Vec<_>, _>>()?.concat();
            inputs.push(tensor(&port.name, waves.len(), &port.shape, values));
        }
        let mut outputs = Vec::new();
        for (port, member) in written.outputs.iter().zip(members) {
            let rows = member.model.embed(waves)?.as_standard_layout().into_owned();
            let values = rows.into_raw_vec_and_offset().0;
            outputs.push(tensor(&port.name, waves.len(), &port.shape, values));
        }
        Ok(Self { inputs, outputs })
    }

    /// Runs the file in ONNX Runtime, and measures how far it is from offkey.
    ///
    /// # Errors
    /// [`OnnxError::Foreign`] when this offkey cannot run ONNX files, [`OnnxError::Outputs`] when the file
    /// gives something else.
    pub fn parity(&self, file: &[u8]) -> Result<Parity, OnnxError> {
        Parity::of(&Session::load(file)?.run(&self.inputs)?, &self.outputs)
    }

    /// Number of clips.
    pub fn clips(&self) -> usize {
        self.inputs.first().and_then(|array| array.shape.first()).copied().unwrap_or(0)
    }

    /// An `.npz` file of these arrays alone.
    ///
    /// # Errors
    /// [`OnnxError::TooLarge`] when there are 2 GB of them.
    pub fn archive(&self) -> Result<Vec<u8>, OnnxError> {
        let mut npz = Npz::default();
        self.store(&mut npz)?;
        Ok(npz.finish())
    }

    /// Adds the arrays to an archive, under `check_` and the name of the input or output.
    pub(crate) fn store(&self, npz: &mut Npz) -> Result<(), OnnxError> {
        for array in self.inputs.iter().chain(&self.outputs) {
            let name = format!("check_{}", array.name);
            npz.floats(&name, &array.shape, array.values.iter().copied())?;
        }
        Ok(())
    }
}

fn tensor(name: &str, clips: usize, shape: &[usize], values: Vec<f32>) -> Tensor {
    let shape = [clips].into_iter().chain(shape.iter().copied()).collect();
    Tensor { name: name.to_owned(), shape, values }
}

impl Parity {
    /// Compares outputs, in the same order.
    ///
    /// # Errors
    /// [`OnnxError::Outputs`] when one has another name or shape.
    fn of(found: &[Tensor], expected: &[Tensor]) -> Result<Self, OnnxError> {
        let form = |tensors: &[Tensor]| -> Vec<String> {
            tensors.iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect()
        };
        let (found_form, expected_form) = (form(found), form(expected));
        if found_form != expected_form {
            let (found, expected) = (found_form.join(", "), expected_form.join(", "));
            return Err(OnnxError::Outputs { found, expected });
        }
        let mut parity = Self { difference: 0.0, cosine: 0.0 };
        for (found, expected) in found.iter().zip(expected) {
            let largest = |of: &dyn Fn((&f32, &f32)) -> f32| {
                let pairs = found.values.iter().zip(&expected.values).map(of);
                f64::from(pairs.fold(0.0, f32::max))
            };
            // The largest of numbers knows nothing of one that is none.
            if !found.values.iter().all(|value| value.is_finite()) {
                return Ok(Self { difference: f64::INFINITY, cosine: f64::INFINITY });
            }
            let difference = largest(&|(a, b)| (a - b).abs()) / largest(&|(_, b)| b.abs());
            parity.difference = parity.difference.max(difference);
            let dims = expected.shape.last().copied().unwrap_or(1).max(1);
            let rows = found.values.chunks_exact(dims).zip(expected.values.chunks_exact(dims));
            let cosine = rows.map(|(a, b)| cosine_distance(a, b)).fold(0.0, f64::max);
            parity.cosine = parity.cosine.max(cosine);
        }
        Ok(parity)
    }
}

fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    1.0 - product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

fn input_of(feature: Option<&Feature>, wave: &[f32]) -> Result<Vec<f32>, OnnxError> {
    let flat = |array: Array2<f32>| array.into_raw_vec_and_offset().0;
    match feature {
        None => Ok(wave.to_vec()),
        Some(Feature::Spectrum) => Ok(spectrum(wave)),
        Some(Feature::Stft(stft)) => stft.magnitude(wave).map(flat).map_err(OnnxError::Feature),
        Some(Feature::LogMel(log_mel)) => {
            log_mel.log_mel(wave).map(flat).map_err(OnnxError::Feature)
        }
    }
}

/// Clips in the form of [`Check::new`].
fn sounds(clip: ClipShape) -> Vec<Vec<f32>> {
    let rate = clip.rate_hz as f32;
    let sample = |kind: usize, index: usize| {
        let seconds = index as f32 / rate;
        let noise = noise((kind * clip.samples + index) as u64);
        match kind {
            0 => 0.2 * (TAU * 440.0 * seconds).sin() + 0.05 * noise,
            1 => 0.3 * (TAU * seconds).sin() * (TAU * 1370.0 * seconds).sin() + 0.02 * noise,
            _ => 0.5 * noise * (-40.0 * (seconds % 0.25)).exp() + 0.01 * noise,
        }
    };
    (0..CLIPS).map(|kind| (0..clip.samples).map(|index| sample(kind, index)).collect()).collect()
}

/// A number from -1 to 1 that looks random (splitmix64).
fn noise(index: u64) -> f32 {
    let mut x = index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parity_is_the_largest_difference_of_any_output() {
        let tensor = |values: &[f32]| tensor("embedding", 1, &[2], values.to_vec());
        let expected = [tensor(&[3.0, 4.0])];
        let same = Parity::of(&expected, &expected).expect("the same form");
        assert!(same.difference.abs() < 1e-12 && same.cosine.abs() < 1e-12);
        let other = Parity::of(&[tensor(&[4.0, -3.0])], &expected).expect("the same form");
        // The second number differs by 7 of 4; the vectors stand at a right angle.
        assert!((other.difference - 1.75).abs() < 1e-12 && (other.cosine - 1.0).abs() < 1e-12);
        let none = Parity::of(&[tensor(&[3.0, f32::NAN])], &expected).expect("the same form");
        assert!(none.difference.is_infinite());
    }

    #[test]
    fn outputs_of_another_form_are_an_error() {
        let expected = [tensor("embedding", 1, &[2], vec![3.0, 4.0])];
        let found = [tensor("embedding", 1, &[1], vec![3.0])];
        assert!(matches!(Parity::of(&found, &expected), Err(OnnxError::Outputs { .. })));
    }
}
