//! The spectrogram branch: a small residual network over time and frequency.

use ndarray::ArrayViewMut2;
use offkey_kernels::spectrogram::{BatchStatistics, SpectrogramInference, SpectrogramPlan};
use offkey_signal::{Stft, subtract_temporal_mean};
use serde::{Deserialize, Serialize};

use super::kind::{
    Axes, Branch, BranchNetwork, Build, clip_by_clip, fast, reference, through_dense,
};
use crate::{
    ConfigError, FoldedDense, FoldedNorm, Magnitude, STEM_KERNEL,
    config_error::{positive, small},
    layers::{Convolution, Cost, Layers, Map, Squeeze, TensorList},
};

/// The spectrogram branch; defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StftConfig {
    /// Length of the periodic Hann window, in samples.
    pub window: usize,
    /// Distance of neighbouring frames, in samples.
    pub hop: usize,
    /// How magnitudes enter.
    pub magnitude: Magnitude,
    /// Whether each bin's mean over time is subtracted, as in the paper: only what changes is left.
    pub subtract_mean: bool,
    /// Step of the first convolution (7x7), in frames and bins. It has the first stage's channels.
    pub stem_stride: usize,
    /// Channels of each residual stage. A stage has two blocks; all but the first halve the
    /// resolution.
    pub stage_channels: Vec<usize>,
    /// Length of this branch's part of the embedding.
    pub dims: usize,
}

impl Default for StftConfig {
    fn default() -> Self {
        Self {
            window: 1024,
            hop: 512,
            magnitude: Magnitude::Linear,
            subtract_mean: true,
            stem_stride: 2,
            stage_channels: vec![16, 32, 64, 128],
            dims: 128,
        }
    }
}

impl StftConfig {
    fn frames(&self) -> Stft {
        Stft { window: self.window, hop: self.hop }
    }
}

impl Branch for StftConfig {
    fn dims(&self) -> usize {
        self.dims
    }

    fn shape(&self, clip_samples: usize) -> (usize, usize) {
        (self.frames().frames(clip_samples), self.frames().bins())
    }

    fn axes(&self) -> Axes {
        Axes::Spectrogram { centred: self.subtract_mean }
    }

    fn check(&self, branch: usize, clip_samples: usize) -> Result<(), ConfigError> {
        positive(branch, "window", &[self.window])?;
        positive(branch, "hop", &[self.hop])?;
        positive(branch, "stem_stride", &[self.stem_stride])?;
        positive(branch, "stage_channels", &self.stage_channels)?;
        positive(branch, "dims", &[self.dims])?;
        small("stem_stride", &[self.stem_stride])?;
        small("stage_channels", &self.stage_channels)?;
        small("dims", &[self.dims])?;
        if !self.window.is_multiple_of(2) {
            return Err(ConfigError::Branch {
                branch,
                field: "window",
                found: self.window.to_string(),
                expected: "an even number of samples",
            });
        }
        if clip_samples < self.window {
            return Err(ConfigError::TooShort { branch, clip_samples, layer: "window" });
        }
        let frames = (clip_samples - self.window) / self.hop + 1;
        let bins = self.window / 2 + 1;
        if frames.min(bins).div_ceil(self.stem_stride) < 3 {
            return Err(ConfigError::TooShort { branch, clip_samples, layer: "max pooling" });
        }
        Ok(())
    }

    fn features(&self, wave: &[f32], out: &mut [f32]) {
        self.frames()
            .magnitude_into(wave, out)
            .expect("the configuration is valid and the buffer has the features' shape");
    }

    fn condition(&self, values: &mut [f32], shape: (usize, usize)) {
        self.magnitude.apply(values);
        if self.subtract_mean {
            let view = ArrayViewMut2::from_shape(shape, values).expect("rows x columns values");
            subtract_temporal_mean(view);
        }
    }

    fn tensors(&self, list: &mut TensorList, (_, bins): (usize, usize)) {
        let mut channels = self.stage_channels[0];
        let mut frequencies = (bins.div_ceil(self.stem_stride) - 3) / 2 + 1;
        list.norm("bin_norm", bins);
        list.kernel("stem", &[channels, 1, STEM_KERNEL, STEM_KERNEL]);
        list.norm("stem_norm", channels);
        for (stage, &outputs) in self.stage_channels.iter().enumerate() {
            let halves = stage > 0;
            list.block(2 * stage, channels, outputs, halves, halves);
            list.block(2 * stage + 1, outputs, outputs, true, false);
            channels = outputs;
            if halves {
                frequencies = frequencies.div_ceil(2);
            }
        }
        list.norm("head_norm", channels * frequencies);
        list.kernel("head", &[self.dims, channels * frequencies]);
    }

    fn cost(&self, cost: &mut Cost, (frames, bins): (usize, usize)) {
        let mut channels = self.stage_channels[0];
        let stem = [frames, bins].map(|size| size.div_ceil(self.stem_stride));
        cost.kernel(1, channels, 49, stem[0] * stem[1]);
        let mut size = stem.map(|size| (size - 3) / 2 + 1);
        for (stage, &outputs) in self.stage_channels.iter().enumerate() {
            if stage > 0 {
                size = size.map(|size| size.div_ceil(2));
                cost.kernel(channels, outputs, 1, size[0] * size[1]);
            }
            cost.block(channels, outputs, size);
            cost.block(outputs, outputs, size);
            channels = outputs;
        }
        let flat = channels * size[1];
        cost.kernel(flat, self.dims, 1, 1);
    }

    fn network(&self, build: &Build<'_>) -> Box<dyn BranchNetwork> {
        let shape = self.shape(build.clip_samples);
        let layers = &build.layers;
        let affine = build.switches.batch_norm_affine;
        let plan = build.takes_kernels().then(|| stft_plan(self, shape, affine)).flatten();
        let convolutions = match plan {
            Some(plan) => Convolutions::Fast(stft_kernels(plan, self, layers)),
            None => Convolutions::Plain(PlainStft::new(self, shape, layers)),
        };
        let head = FoldedDense::after_norm(
            layers.values("head.weight"),
            layers.bias("head"),
            &layers.norm("head_norm"),
        );
        Box::new(Network { shape, convolutions, head })
    }
}

#[derive(Debug)]
struct Network {
    shape: (usize, usize),
    convolutions: Convolutions,
    head: FoldedDense,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has one per branch")]
enum Convolutions {
    Fast(SpectrogramInference),
    Plain(PlainStft),
}

impl BranchNetwork for Network {
    fn embed(&self, clips: usize, features: &[f32]) -> Vec<f32> {
        let maps = match &self.convolutions {
            Convolutions::Fast(fast) => {
                fast.embed(features, clips).expect("the input is whole clips")
            }
            Convolutions::Plain(plain) => {
                clip_by_clip(self.shape.0 * self.shape.1, features, |clip| plain.forward(clip))
            }
        };
        through_dense(std::slice::from_ref(&self.head), clips, &maps)
    }

    fn kernels(&self) -> String {
        match &self.convolutions {
            Convolutions::Fast(kernels) => fast(kernels.plan().level()),
            Convolutions::Plain(_) => reference(),
        }
    }
}

/// The fast kernels' plan for a spectrogram branch up to its pooling over time, where they cover
/// it. `shape`: frames and bins.
pub fn stft_plan(
    branch: &StftConfig,
    (frames, bins): (usize, usize),
    norm_affine: bool,
) -> Option<SpectrogramPlan> {
    let plan = SpectrogramPlan::new(offkey_kernels::spectrogram::SpectrogramConfig {
        frames,
        bins,
        stem_channels: branch.stage_channels[0],
        stem_stride: [branch.stem_stride; 2],
        stage_channels: branch.stage_channels.clone(),
        norm_affine,
    });
    plan.ok()
}

fn stft_kernels(
    plan: SpectrogramPlan,
    config: &StftConfig,
    layers: &Layers<'_>,
) -> SpectrogramInference {
    let mut parameters: Vec<&[f32]> = layers.affine("bin_norm");
    parameters.push(layers.values("stem.weight"));
    parameters.extend(layers.affine("stem_norm"));
    let mut norms = vec!["bin_norm".to_owned(), "stem_norm".to_owned()];
    for block in 0..2 * config.stage_channels.len() {
        let name = |part: &str| format!("blocks.{block}.{part}");
        if layers.has(&name("input_norm.running_mean")) {
            parameters.extend(layers.affine(&name("input_norm")));
            norms.push(name("input_norm"));
        }
        parameters.push(layers.values(&name("conv1.weight")));
        parameters.extend(layers.affine(&name("norm")));
        norms.push(name("norm"));
        parameters.push(layers.values(&name("conv2.weight")));
        if layers.has(&name("shortcut.weight")) {
            parameters.push(layers.values(&name("shortcut.weight")));
        }
    }
    let statistics = norms.iter().map(|norm| BatchStatistics {
        mean: layers.values(&format!("{norm}.running_mean")).to_vec(),
        variance: layers.values(&format!("{norm}.running_variance")).to_vec(),
    });
    let statistics: Vec<_> = statistics.collect();
    SpectrogramInference::new(plan, &parameters, &statistics)
        .expect("weights and plan are of one configuration")
}

/// The convolutions up to the pooling over time, in plain loops.
#[derive(Debug)]
struct PlainStft {
    shape: (usize, usize),
    bin_norm: FoldedNorm,
    stem: Convolution,
    stem_norm: FoldedNorm,
    blocks: Vec<Block>,
}

/// One residual block.
#[derive(Debug)]
struct Block {
    input_norm: Option<FoldedNorm>,
    conv1: Convolution,
    norm: FoldedNorm,
    conv2: Convolution,
    squeeze: Option<Squeeze>,
    shortcut: Option<Convolution>,
    /// The second block of the first stage has `ReLU` before its inner norm, all others after.
    relu_before_norm: bool,
}

impl PlainStft {
    /// `shape`: frames and bins.
    fn new(config: &StftConfig, shape: (usize, usize), layers: &Layers<'_>) -> Self {
        let (taps, stride) = ([STEM_KERNEL; 2], [config.stem_stride; 2]);
        Self {
            shape,
            bin_norm: layers.norm("bin_norm"),
            stem: Convolution::new(layers, "stem", taps, stride),
            stem_norm: layers.norm("stem_norm"),
            blocks: (0..2 * config.stage_channels.len()).map(|i| Block::new(layers, i)).collect(),
        }
    }

    /// `[frames, bins]` to `[channels, bins]`, the largest value over time.
    fn forward(&self, frames: &[f32]) -> Vec<f32> {
        let (rows, columns) = self.shape;
        let mut x = Map { rows, columns, channels: columns, values: frames.to_vec() };
        // One norm per frequency bin.
        x = x.norm(&self.bin_norm);
        x.channels = 1;
        x = self.stem.forward(&x).norm(&self.stem_norm).relu().pool(3, 2, true);
        for block in &self.blocks {
            x = block.forward(x);
        }
        let mut over_time = Map::new(1, x.columns, x.channels);
        over_time.values.fill(f32::NEG_INFINITY);
        for row in x.values.chunks_exact(x.columns * x.channels) {
            let pairs = over_time.values.iter_mut().zip(row);
            pairs.for_each(|(largest, &value)| *largest = largest.max(value));
        }
        over_time.channels_first()
    }
}

impl Block {
    fn new(layers: &Layers<'_>, index: usize) -> Self {
        let name = |part: &str| format!("blocks.{index}.{part}");
        let has = |part: &str| layers.has(&name(part));
        let shortcut = has("shortcut.weight");
        let stride = if shortcut { [2, 2] } else { [1, 1] };
        Self {
            input_norm: has("input_norm.running_mean").then(|| layers.norm(&name("input_norm"))),
            conv1: Convolution::new(layers, &name("conv1"), [3, 3], stride),
            norm: layers.norm(&name("norm")),
            conv2: Convolution::new(layers, &name("conv2"), [3, 3], [1, 1]),
            squeeze: Squeeze::new(layers, &name("squeeze")),
            shortcut: shortcut.then(|| Convolution::dense(layers, &name("shortcut"))),
            relu_before_norm: index == 1,
        }
    }

    fn forward(&self, x: Map) -> Map {
        let x = match &self.input_norm {
            Some(norm) => x.norm(norm),
            None => x,
        };
        let r = self.conv1.forward(&x.clone().relu());
        let r = if self.relu_before_norm {
            r.relu().norm(&self.norm)
        } else {
            r.norm(&self.norm).relu()
        };
        let mut r = self.conv2.forward(&r);
        if let Some(squeeze) = &self.squeeze {
            r = squeeze.forward(r);
        }
        match &self.shortcut {
            Some(shortcut) => shortcut.forward(&x.pool(2, 2, false)).add(&r),
            None => x.add(&r),
        }
    }
}
