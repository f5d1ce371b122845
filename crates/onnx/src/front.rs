//! From a waveform to features: frames, spectra, log-mel spectrograms; or features as inputs.

use std::f64::consts::{LN_10, TAU};

use offkey_infer::ClipShape;
use offkey_signal::{FloorRule, FramePadding, LogMel, LogScale, Stft};

use crate::{
    OnnxError,
    dft::power,
    graph::{Graph, Setting, Value},
};

/// What an ONNX file takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Input {
    /// Mono sound of one length, at one rate.
    #[default]
    Waveform,
    /// What the model computes from it: spectra and spectrograms, before any logarithm of a network.
    Features,
}

impl Input {
    /// As the file's metadata name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waveform => "waveform",
            Self::Features => "features",
        }
    }
}

/// One kind of feature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Feature {
    /// Magnitude spectrum of the whole clip, `[bins]`.
    Spectrum,
    /// Magnitude spectrogram, `[frames, bins]`.
    Stft(Stft),
    /// Log-mel spectrogram, `[frames, mels]`.
    LogMel(LogMel),
}

impl Feature {
    /// Shape for clips of so many samples, without the batch.
    pub(crate) fn shape(&self, samples: usize) -> Vec<usize> {
        match self {
            Self::Spectrum => vec![samples / 2],
            Self::Stft(stft) => vec![stft.frames(samples), stft.bins()],
            Self::LogMel(log_mel) => vec![log_mel.frames(samples), log_mel.mels],
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Spectrum => "spectrum".to_owned(),
            Self::Stft(stft) => format!("stft_{}_{}", stft.window, stft.hop),
            Self::LogMel(log_mel) => format!("log_mel_{}_{}", log_mel.window, log_mel.hop),
        }
    }
}

/// The features that a graph has so far; each is made once.
#[derive(Debug)]
pub(crate) struct Front {
    input: Input,
    clip: ClipShape,
    wave: Option<Value>,
    made: Vec<(Feature, String, Value)>,
}

impl Front {
    pub(crate) fn new(input: Input, clip: ClipShape) -> Self {
        Self { input, clip, wave: None, made: Vec::new() }
    }

    /// Samples of a clip.
    pub(crate) fn samples(&self) -> usize {
        self.clip.samples
    }

    /// The feature behind each input; none for sound.
    pub(crate) fn into_features(self) -> Vec<Option<Feature>> {
        match self.input {
            Input::Waveform => vec![None],
            Input::Features => self.made.into_iter().map(|(feature, _, _)| Some(feature)).collect(),
        }
    }

    /// A feature of the clips.
    pub(crate) fn feature(
        &mut self,
        graph: &mut Graph,
        feature: &Feature,
    ) -> Result<Value, OnnxError> {
        if let Some((_, _, value)) = self.made.iter().find(|(made, _, _)| made == feature) {
            return Ok(value.clone());
        }
        let taken = self.made.iter().filter(|(made, _, _)| made.kind() == feature.kind()).count();
        let name = match taken {
            0 => feature.kind(),
            taken => format!("{}_{}", feature.kind(), taken + 1),
        };
        let samples = self.clip.samples;
        let value = match self.input {
            Input::Features => graph.input(&name, &feature.shape(samples)),
            Input::Waveform => {
                let wave = match &self.wave {
                    Some(wave) => wave.clone(),
                    None => self.wave.insert(graph.input(WAVEFORM, &[samples])).clone(),
                };
                graph.enter(&name);
                compute(graph, &wave, feature, samples)?
            }
        };
        self.made.push((feature.clone(), name, value.clone()));
        Ok(value)
    }
}

/// Name of the input where that is sound.
const WAVEFORM: &str = "waveform";

fn compute(
    graph: &mut Graph,
    wave: &Value,
    feature: &Feature,
    samples: usize,
) -> Result<Value, OnnxError> {
    match feature {
        Feature::Spectrum => {
            let power = power(graph, wave, (1, samples), samples / 2)?;
            let magnitude = graph.node("Sqrt", &[&power], &[]);
            Ok(graph.reshape(&magnitude, &[samples / 2]))
        }
        Feature::Stft(stft) => {
            let frames = stft.frames(samples);
            let window = hann(stft.window);
            let cut = cut(graph, wave, (frames, stft.hop), &window);
            let power = power(graph, &cut, (frames, stft.window), stft.bins())?;
            Ok(graph.node("Sqrt", &[&power], &[]))
        }
        Feature::LogMel(log_mel) => log_mel_of(graph, wave, log_mel, samples),
    }
}

fn log_mel_of(
    graph: &mut Graph,
    wave: &Value,
    log_mel: &LogMel,
    samples: usize,
) -> Result<Value, OnnxError> {
    let filters = log_mel.filters().map_err(OnnxError::Feature)?;
    let frames = log_mel.frames(samples);
    // The window is centred in the transform.
    let mut window = vec![0.0; log_mel.fft];
    let lead = (log_mel.fft - log_mel.window) / 2;
    window[lead..lead + log_mel.window].copy_from_slice(&hann(log_mel.window));
    let padded = match log_mel.padding {
        FramePadding::Valid => wave.clone(),
        FramePadding::Centered => {
            let margin = (log_mel.fft / 2) as i64;
            let margins = graph.integers(&[4], &[0, margin, 0, margin]);
            graph.node("Pad", &[wave, &margins], &[])
        }
    };
    let cut = cut(graph, &padded, (frames, log_mel.hop), &window);
    let bins = log_mel.fft / 2 + 1;
    let power = power(graph, &cut, (frames, log_mel.fft), bins)?;
    let transposed: Vec<f32> = filters.t().iter().copied().collect();
    let filters = graph.floats(&[bins, log_mel.mels], &transposed);
    let bands = graph.node("MatMul", &[&power, &filters], &[]);
    let floor = graph.scalar(log_mel.floor);
    let raised = match log_mel.floor_rule {
        FloorRule::Raise => graph.node("Max", &[&bands, &floor], &[]),
        FloorRule::Add => graph.node("Add", &[&bands, &floor], &[]),
    };
    let logarithm = graph.node("Log", &[&raised], &[]);
    Ok(match log_mel.scale {
        LogScale::Ln => logarithm,
        LogScale::Db => {
            let decibels = graph.scalar((10.0 / LN_10) as f32);
            graph.node("Mul", &[&logarithm, &decibels], &[])
        }
    })
}

/// Windowed frames, `[batch, frames, window]`, of sound `[batch, samples]`.
fn cut(graph: &mut Graph, wave: &Value, (frames, hop): (usize, usize), window: &[f32]) -> Value {
    let starts: Vec<i64> = (0..frames).map(|frame| (frame * hop) as i64).collect();
    let starts = graph.integers(&[frames, 1], &starts);
    let offsets: Vec<i64> = (0..window.len()).map(|offset| offset as i64).collect();
    let offsets = graph.integers(&[1, window.len()], &offsets);
    let places = graph.node("Add", &[&starts, &offsets], &[]);
    let frames = graph.node("Gather", &[wave, &places], &[Setting::Integer("axis", 1)]);
    let window = graph.floats(&[window.len()], window);
    graph.node("Mul", &[&frames, &window], &[])
}

/// Periodic Hann window.
fn hann(length: usize) -> Vec<f32> {
    (0..length).map(|i| (0.5 - 0.5 * (TAU * i as f64 / length as f64).cos()) as f32).collect()
}
