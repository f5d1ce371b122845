//! Short-time Fourier transform magnitudes, in one piece or as the samples arrive.

use std::{
    f64::consts::TAU,
    sync::{Arc, Mutex, PoisonError},
};

use ndarray::{Array1, Array2, ArrayViewMut2, Zip};
use rayon::prelude::*;
use realfft::{RealToComplex, num_complex::Complex};
use serde::{Deserialize, Serialize};

use crate::{
    FeatureError,
    fft::forward_plan,
    scratch::{magnitudes, with_scratch},
};

/// A short-time Fourier transform: periodic Hann window, no padding, magnitude, all bins.
///
/// The default is 1024 samples every 512 (64 ms and 32 ms at 16 kHz), as in the paper's
/// spectrogram branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stft {
    /// Samples of one frame.
    pub window: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
}

impl Default for Stft {
    fn default() -> Self {
        Self { window: 1024, hop: 512 }
    }
}

impl Stft {
    /// Frequency bins of a frame: `window / 2 + 1`, bin k at `k * rate / window` Hz.
    pub fn bins(&self) -> usize {
        self.window / 2 + 1
    }

    /// Whole frames in so many samples; the rest at the end is not used.
    pub fn frames(&self, samples: usize) -> usize {
        match samples.checked_sub(self.window) {
            Some(rest) if self.hop > 0 && self.window > 0 => 1 + rest / self.hop,
            _ => 0,
        }
    }

    /// Magnitude spectrogram of one clip.
    ///
    /// # Shapes
    /// `samples`: mono; result: `[frames, bins]`.
    ///
    /// # Errors
    /// [`FeatureError::TooShort`] when the clip is shorter than one window,
    /// [`FeatureError::Setting`] when window or hop is zero.
    ///
    /// # Source
    /// Golden: `testdata/golden/features.json` (scipy, librosa with `center=False`).
    pub fn magnitude(&self, samples: &[f32]) -> Result<Array2<f32>, FeatureError> {
        self.check(samples.len())?;
        let mut out = Array2::zeros((self.frames(samples.len()), self.bins()));
        if let Some(out) = out.as_slice_mut() {
            self.fill(samples, out);
        }
        Ok(out)
    }

    /// As [`Stft::magnitude`], row-major into the caller's buffer.
    ///
    /// # Errors
    /// As [`Stft::magnitude`], and [`FeatureError::BufferLength`] unless `out` has
    /// `frames * bins` places.
    pub fn magnitude_into(&self, samples: &[f32], out: &mut [f32]) -> Result<(), FeatureError> {
        self.check(samples.len())?;
        let expected = self.frames(samples.len()) * self.bins();
        if out.len() != expected {
            return Err(FeatureError::BufferLength { found: out.len(), expected });
        }
        self.fill(samples, out);
        Ok(())
    }

    /// Spectrograms of many clips, in parallel; the same numbers as one by one.
    ///
    /// # Errors
    /// As [`Stft::magnitude`], for the first clip in order that fails.
    pub fn magnitude_batch(&self, clips: &[&[f32]]) -> Result<Vec<Array2<f32>>, FeatureError> {
        clips.par_iter().map(|samples| self.magnitude(samples)).collect()
    }

    /// The streaming twin: frames as the samples arrive.
    ///
    /// # Errors
    /// [`FeatureError::Setting`] when window or hop is zero.
    pub fn stream(&self) -> Result<StftStream, FeatureError> {
        self.check_settings()?;
        Ok(StftStream {
            frames: FrameCutter::new(self.window, self.hop),
            plan: FramePlan::shared(self.window, self.window),
        })
    }

    fn check(&self, samples: usize) -> Result<(), FeatureError> {
        self.check_settings()?;
        if samples < self.window {
            return Err(FeatureError::TooShort { found: samples, expected: self.window });
        }
        Ok(())
    }

    fn check_settings(&self) -> Result<(), FeatureError> {
        for (name, value) in [("window", self.window), ("hop", self.hop)] {
            if value == 0 {
                return Err(FeatureError::Setting {
                    name,
                    found: "0".to_owned(),
                    expected: "at least 1 sample",
                });
            }
        }
        Ok(())
    }

    fn fill(&self, samples: &[f32], out: &mut [f32]) {
        let plan = FramePlan::shared(self.window, self.window);
        let frames = samples.windows(self.window).step_by(self.hop);
        for (frame, row) in frames.zip(out.chunks_exact_mut(self.bins())) {
            plan.bins_of(frame, |bins| magnitudes(bins, row));
        }
    }
}

/// Spectrogram frames of samples that arrive in pieces of any size; the same bits as
/// [`Stft::magnitude`] on all of them at once.
pub struct StftStream {
    frames: FrameCutter,
    plan: Arc<FramePlan>,
}

impl StftStream {
    /// Takes the next samples and appends every frame they complete, row-major, to `out`.
    /// Returns how many frames that were.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> usize {
        let plan = &self.plan;
        self.frames.push(samples, |frame| {
            plan.bins_of(frame, |bins| {
                let start = out.len();
                out.resize(start + bins.len(), 0.0);
                magnitudes(bins, &mut out[start..]);
            });
        })
    }
}

/// Subtracts from every bin its mean over time: what is constant in a clip (the room, the
/// microphone, steady background) goes, what changes stays.
///
/// # Shapes
/// `spectrogram`: `[frames, bins]`, changed in place.
pub fn subtract_temporal_mean(mut spectrogram: ArrayViewMut2<f32>) {
    let mut means = Array1::<f64>::zeros(spectrogram.ncols());
    for row in spectrogram.rows() {
        Zip::from(&mut means).and(row).for_each(|mean, &value| *mean += f64::from(value));
    }
    let frames = spectrogram.nrows().max(1) as f64;
    let means = means.mapv(|sum| (sum / frames) as f32);
    for mut row in spectrogram.rows_mut() {
        row -= &means;
    }
}

/// One frame's window and transform, made once and shared.
pub(crate) struct FramePlan {
    /// Periodic Hann, as long as the frame.
    window: Vec<f32>,
    /// Samples of silence before the frame, which centres it in a longer transform.
    lead: usize,
    fft: Arc<dyn RealToComplex<f32>>,
}

static FRAME_PLANS: Mutex<Vec<Arc<FramePlan>>> = Mutex::new(Vec::new());
const FRAME_PLANS_KEPT: usize = 16;

impl FramePlan {
    /// The plan of a window centred in a transform of `fft` samples, which is at least as long.
    pub(crate) fn shared(window: usize, fft: usize) -> Arc<Self> {
        let mut plans = FRAME_PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        let found = plans.iter().position(|p| p.window.len() == window && p.fft.len() == fft);
        let plan = match found {
            Some(index) => plans.remove(index),
            None => Arc::new(Self::new(window, fft)),
        };
        plans.truncate(FRAME_PLANS_KEPT - 1);
        plans.insert(0, Arc::clone(&plan));
        plan
    }

    fn new(window: usize, fft: usize) -> Self {
        Self { window: periodic_hann(window), lead: (fft - window) / 2, fft: forward_plan(fft) }
    }

    /// Samples between the start of the transform and the start of the window.
    pub(crate) fn lead(&self) -> usize {
        self.lead
    }

    /// Lends the complex bins of one windowed frame.
    pub(crate) fn bins_of<T>(&self, frame: &[f32], job: impl FnOnce(&[Complex<f32>]) -> T) -> T {
        with_scratch(|scratch| {
            let bins = scratch.transform(self.fft.as_ref(), |input| {
                let (lead, rest) = input.split_at_mut(self.lead);
                let (body, tail) = rest.split_at_mut(self.window.len());
                lead.fill(0.0);
                tail.fill(0.0);
                for ((out, sample), weight) in body.iter_mut().zip(frame).zip(&self.window) {
                    *out = sample * weight;
                }
            });
            job(bins)
        })
    }
}

/// Hann window whose period is its length, as spectral analysis wants it.
pub(crate) fn periodic_hann(length: usize) -> Vec<f32> {
    (0..length).map(|i| (0.5 - 0.5 * (TAU * i as f64 / length as f64).cos()) as f32).collect()
}

/// Cuts a stream of samples into overlapping frames.
pub(crate) struct FrameCutter {
    window: usize,
    hop: usize,
    pending: Vec<f32>,
    /// Samples still to be dropped before the next frame, where the hop exceeds the window.
    skip: usize,
}

impl FrameCutter {
    pub(crate) fn new(window: usize, hop: usize) -> Self {
        Self { window, hop, pending: Vec::new(), skip: 0 }
    }

    /// Hands every frame that `samples` complete to `job`; returns their number.
    pub(crate) fn push(&mut self, samples: &[f32], mut job: impl FnMut(&[f32])) -> usize {
        let skipped = self.skip.min(samples.len());
        self.skip -= skipped;
        self.pending.extend_from_slice(&samples[skipped..]);
        let mut frames = 0;
        let mut start = 0;
        while let Some(frame) = self.pending.get(start..start + self.window) {
            job(frame);
            frames += 1;
            start += self.hop;
        }
        let used = start.min(self.pending.len());
        self.skip += start - used;
        self.pending.drain(..used);
        frames
    }
}
