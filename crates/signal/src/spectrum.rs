//! Magnitude spectrum of a whole clip, the input of the encoder's spectrum branch.

use rayon::prelude::*;

use crate::{
    FeatureError,
    fft::forward_plan,
    scratch::{magnitudes, with_scratch},
};

/// Magnitude of the Fourier transform of the whole clip, without window, scaling or logarithm.
///
/// # Shapes
/// `samples`: any length; result: `samples.len() / 2` bins, bin k at `k * rate / samples.len()` Hz
/// (the Nyquist bin is left out).
///
/// # Source
/// Wilkinghoff's spectrum branch. Golden: `testdata/golden/features.json` (scipy).
pub fn spectrum(samples: &[f32]) -> Vec<f32> {
    let mut bins = vec![0.0; samples.len() / 2];
    fill(samples, &mut bins);
    bins
}

/// As [`spectrum`], into the caller's buffer.
///
/// # Errors
/// [`FeatureError::BufferLength`] unless `out` has `samples.len() / 2` places.
pub fn spectrum_into(samples: &[f32], out: &mut [f32]) -> Result<(), FeatureError> {
    let expected = samples.len() / 2;
    if out.len() != expected {
        return Err(FeatureError::BufferLength { found: out.len(), expected });
    }
    fill(samples, out);
    Ok(())
}

/// Spectra of many clips, in parallel; the same numbers as one by one.
pub fn spectrum_batch(clips: &[&[f32]]) -> Vec<Vec<f32>> {
    clips.par_iter().map(|samples| spectrum(samples)).collect()
}

fn fill(samples: &[f32], out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let plan = forward_plan(samples.len());
    with_scratch(|scratch| {
        let bins = scratch.transform(plan.as_ref(), |input| input.copy_from_slice(samples));
        magnitudes(bins, out);
    });
}
