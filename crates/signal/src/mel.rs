//! Log-mel spectrograms, in one piece or as the samples arrive.

use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;
use realfft::num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{
    FeatureError,
    mel_scale::{MelScale, MelWeights},
    stft::{FrameCutter, FramePlan},
};

/// A log-mel power spectrogram with a periodic Hann window.
///
/// The default is the official autoencoder baseline's front end: 1024 samples every 512,
/// 128 bands over the whole range, in decibels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogMel {
    /// Samples per second of the clips.
    pub rate_hz: u32,
    /// Samples of one frame's window.
    pub window: usize,
    /// Samples of its transform, at least the window; the window is centred in it.
    pub fft: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Mel bands.
    pub mels: usize,
    /// Lower edge of the first band.
    pub fmin_hz: f32,
    /// Upper edge of the last band; half the rate where absent.
    pub fmax_hz: Option<f32>,
    /// Which mel scale the bands are spread over.
    #[serde(skip_serializing_if = "MelScale::is_default")]
    pub mel_scale: MelScale,
    /// How the triangle of a band is weighted.
    #[serde(skip_serializing_if = "MelWeights::is_default")]
    pub mel_weights: MelWeights,
    /// The logarithm.
    pub scale: LogScale,
    /// Smallest power before the logarithm. Default 1e-10, as in librosa.
    pub floor: f32,
    /// How the floor keeps powers away from zero.
    #[serde(skip_serializing_if = "FloorRule::is_default")]
    pub floor_rule: FloorRule,
    /// Whether silence is put around the clip.
    pub padding: FramePadding,
}

impl Default for LogMel {
    fn default() -> Self {
        Self {
            rate_hz: 16_000,
            window: 1024,
            fft: 1024,
            hop: 512,
            mels: 128,
            fmin_hz: 0.0,
            fmax_hz: None,
            mel_scale: MelScale::Slaney,
            mel_weights: MelWeights::Area,
            scale: LogScale::Db,
            floor: 1e-10,
            floor_rule: FloorRule::Raise,
            padding: FramePadding::Valid,
        }
    }
}

/// The logarithm of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogScale {
    /// 10 log10, relative to a power of 1.
    Db,
    /// Natural logarithm.
    Ln,
}

/// How a floor keeps powers away from zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FloorRule {
    /// Smaller powers are raised to it, as in librosa.
    #[default]
    Raise,
    /// It is added to every power.
    Add,
}

impl FloorRule {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn apply(self, power: f32, floor: f32) -> f32 {
        match self {
            Self::Raise => power.max(floor),
            Self::Add => power + floor,
        }
    }
}

/// Where the first and the last frame lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramePadding {
    /// Frames lie inside the clip.
    Valid,
    /// Half a transform of silence before and after, so that frame i is centred at `i * hop`
    /// (librosa's `center=True`).
    Centered,
}

impl LogMel {
    /// Frames of a clip of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        let padded = samples + 2 * self.margin();
        match padded.checked_sub(self.fft) {
            Some(rest) if self.hop > 0 && samples > 0 => 1 + rest / self.hop,
            _ => 0,
        }
    }

    /// Log-mel spectrogram of one clip.
    ///
    /// # Shapes
    /// `samples`: mono at [`LogMel::rate_hz`]; result: `[frames, mels]`, logarithm of power.
    ///
    /// # Errors
    /// [`FeatureError::TooShort`] when the clip has no whole frame, [`FeatureError::Setting`] when
    /// the settings describe no filter bank.
    ///
    /// # Source
    /// Slaney, Auditory Toolbox (1998), unless another scale is asked for. Golden: `testdata/golden/features.json` (librosa).
    pub fn log_mel(&self, samples: &[f32]) -> Result<Array2<f32>, FeatureError> {
        let mut stream = self.stream()?;
        let frames = self.frames(samples.len());
        if frames == 0 {
            let expected = self.fft.saturating_sub(2 * self.margin()).max(1);
            return Err(FeatureError::TooShort { found: samples.len(), expected });
        }
        let mut out = Vec::with_capacity(frames * self.mels);
        stream.push(samples, &mut out);
        stream.finish(&mut out);
        let found = out.len();
        Array2::from_shape_vec((frames, self.mels), out)
            .map_err(|_| FeatureError::BufferLength { found, expected: frames * self.mels })
    }

    /// Spectrograms of many clips, in parallel; the same numbers as one by one.
    ///
    /// # Errors
    /// As [`LogMel::log_mel`], for the first clip in order that fails.
    pub fn log_mel_batch(&self, clips: &[&[f32]]) -> Result<Vec<Array2<f32>>, FeatureError> {
        clips.par_iter().map(|samples| self.log_mel(samples)).collect()
    }

    /// The streaming twin: frames as the samples arrive.
    ///
    /// # Errors
    /// [`FeatureError::Setting`] when the settings describe no filter bank.
    pub fn stream(&self) -> Result<LogMelStream, FeatureError> {
        self.check()?;
        let mut frames = FrameCutter::new(self.fft, self.hop);
        frames.push(&vec![0.0; self.margin()], |_| ());
        Ok(LogMelStream {
            frames,
            plan: FramePlan::shared(self.window, self.fft),
            bank: self.filter_bank(),
            scale: self.scale,
            floor: self.floor,
            floor_rule: self.floor_rule,
            margin: self.margin(),
            power: vec![0.0; self.fft / 2 + 1],
        })
    }

    /// The filter bank: what each mel band takes of each bin's power, `[mels, fft / 2 + 1]`.
    ///
    /// # Errors
    /// [`FeatureError::Setting`] when the settings describe no filter bank.
    pub fn filters(&self) -> Result<Array2<f32>, FeatureError> {
        self.check()?;
        let mut filters = Array2::zeros((self.mels, self.fft / 2 + 1));
        for (band, mut row) in self.filter_bank().iter().zip(filters.rows_mut()) {
            let weights = row.iter_mut().skip(band.first_bin).zip(&band.weights);
            weights.for_each(|(out, &weight)| *out = weight);
        }
        Ok(filters)
    }

    fn margin(&self) -> usize {
        match self.padding {
            FramePadding::Valid => 0,
            FramePadding::Centered => self.fft / 2,
        }
    }

    fn fmax_hz(&self) -> f32 {
        self.fmax_hz.unwrap_or(self.rate_hz as f32 / 2.0)
    }

    fn check(&self) -> Result<(), FeatureError> {
        let counts = [
            ("rate_hz", self.rate_hz as usize),
            ("window", self.window),
            ("hop", self.hop),
            ("mels", self.mels),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(FeatureError::Setting { name, found: "0".into(), expected: "at least 1" });
        }
        if self.fft < self.window {
            let found = self.fft.to_string();
            return Err(FeatureError::Setting {
                name: "fft",
                found,
                expected: "at least the window",
            });
        }
        if !(0.0..self.fmax_hz()).contains(&self.fmin_hz) {
            let found = self.fmin_hz.to_string();
            let expected = "between 0 Hz and the upper edge";
            return Err(FeatureError::Setting { name: "fmin_hz", found, expected });
        }
        if self.fmax_hz() > self.rate_hz as f32 / 2.0 {
            let found = self.fmax_hz().to_string();
            return Err(FeatureError::Setting {
                name: "fmax_hz",
                found,
                expected: "at most half the rate",
            });
        }
        if !(self.floor > 0.0 && self.floor.is_finite()) {
            let found = self.floor.to_string();
            return Err(FeatureError::Setting { name: "floor", found, expected: "above zero" });
        }
        Ok(())
    }

    fn filter_bank(&self) -> Vec<MelBand> {
        let range_hz = f64::from(self.fmin_hz)..f64::from(self.fmax_hz());
        let edges = self.mel_scale.edges_hz(self.mels, range_hz);
        let bin_hz = f64::from(self.rate_hz) / self.fft as f64;
        let last_bin = self.fft / 2;
        let triangle = |edges| MelBand::triangle(edges, self.mel_weights, bin_hz, last_bin);
        edges.array_windows().map(|edges| triangle(*edges)).collect()
    }
}

/// Log-mel frames of samples that arrive in pieces of any size; the same bits as
/// [`LogMel::log_mel`] on all of them at once.
pub struct LogMelStream {
    frames: FrameCutter,
    plan: Arc<FramePlan>,
    bank: Vec<MelBand>,
    scale: LogScale,
    floor: f32,
    floor_rule: FloorRule,
    margin: usize,
    power: Vec<f32>,
}

impl LogMelStream {
    /// Takes the next samples and appends every frame they complete, row-major, to `out`.
    /// Returns how many frames that were.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> usize {
        let Self { frames, plan, bank, scale, floor, floor_rule, power, .. } = self;
        // Frames are cut as long as the transform, and the plan centres its window in that: what
        // it is given starts where the window does.
        let lead = plan.lead();
        frames.push(samples, |frame| {
            plan.bins_of(&frame[lead..], |bins| powers(bins, power));
            let logarithm = |power| scale.of(floor_rule.apply(power, *floor));
            out.extend(bank.iter().map(|band| logarithm(band.energy(power))));
        })
    }

    /// Appends the frames that reach past the end, where the clip is padded. Nothing may be pushed
    /// afterwards. Returns how many frames that were.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> usize {
        let margin = std::mem::take(&mut self.margin);
        self.push(&vec![0.0; margin], out)
    }
}

impl LogScale {
    fn of(self, power: f32) -> f32 {
        match self {
            Self::Db => 10.0 * power.log10(),
            Self::Ln => power.ln(),
        }
    }
}

/// One triangular filter: weights from its first bin on.
struct MelBand {
    first_bin: usize,
    weights: Vec<f32>,
}

impl MelBand {
    /// The triangle over three frequencies.
    fn triangle(
        [left, centre, right]: [f64; 3],
        weights: MelWeights,
        bin_hz: f64,
        last_bin: usize,
    ) -> Self {
        let weight = |bin: usize| {
            let hz = bin as f64 * bin_hz;
            let rise = (hz - left) / (centre - left);
            let fall = (right - hz) / (right - centre);
            rise.min(fall).max(0.0)
        };
        let first_bin = (left / bin_hz) as usize;
        let end_bin = ((right / bin_hz) as usize).min(last_bin) + 1;
        let triangle: Vec<f64> = (first_bin..end_bin).map(weight).collect();
        Self { first_bin, weights: weights.of_triangle(&triangle, right - left) }
    }

    fn energy(&self, power: &[f32]) -> f32 {
        self.weights
            .iter()
            .zip(&power[self.first_bin..])
            .map(|(weight, power)| weight * power)
            .sum()
    }
}

fn powers(bins: &[Complex<f32>], out: &mut [f32]) {
    for (out, bin) in out.iter_mut().zip(bins) {
        *out = bin.re * bin.re + bin.im * bin.im;
    }
}
