//! The network ready to embed clips: convolutions, then dense layers with their norms folded in.
//!
//! Every clip is computed alone, so its embedding does not depend on its batch. The convolutions
//! are our fast kernels where these cover the architecture, else plain loops.

mod architecture;
mod dense;
#[cfg(test)]
mod golden;
mod layers;
mod plain;

use offkey_kernels::{
    spectrogram::{BatchStatistics, SpectrogramInference, SpectrogramPlan},
    spectrum::{SpectrumInference, SpectrumPlan},
};
use rayon::prelude::*;

pub use architecture::{SQUEEZE_RATIO, STEM_KERNEL};
pub use dense::{FoldedDense, FoldedNorm};
pub(crate) use layers::Layers;
pub use plain::padding_before;
use plain::{PlainSpectrum, PlainStft};

use crate::{
    BranchConfig, EncoderConfig, Kernels, SpectrumConfig, StftConfig,
    features::{self, BatchFeatures},
    weights::NamedTensors,
};

/// What computes an encoder's embeddings from features.
///
/// [`Network`] does so on the processor; a training framework may do so on another device.
pub trait Forward: std::fmt::Debug + Send + Sync {
    /// Embeddings of a batch, `[clips, dims]`, row-major, not normalised.
    fn forward(&self, features: BatchFeatures) -> Vec<f32>;

    /// One branch's part of the embeddings, `[clips, branch dims]`, from that branch's features.
    fn forward_branch(&self, branch: usize, clips: usize, features: &[f32]) -> Vec<f32>;

    /// The kernels that compute each branch, as in `fast (avx512)` or `reference`.
    fn kernels(&self) -> Vec<String>;
}

/// An encoder's network on the processor, with nothing left to train.
#[derive(Debug)]
pub struct Network {
    branches: Vec<Branch>,
}

#[derive(Debug)]
struct Branch {
    convolutions: Convolutions,
    dense: Vec<FoldedDense>,
}

#[derive(Debug)]
enum Convolutions {
    Spectrum(SpectrumInference),
    Stft(SpectrogramInference),
    PlainSpectrum(PlainSpectrum),
    PlainStft(PlainStft),
}

impl Network {
    /// The network of these weights, which are all of [`EncoderConfig::tensors`].
    pub fn new(config: &EncoderConfig, weights: &NamedTensors, kernels: Kernels) -> Self {
        let branches = config.branches.iter().enumerate().map(|(index, branch)| {
            let layers = Layers { weights, prefix: format!("branches.{index}") };
            let fast = kernels == Kernels::Auto && config.suits_kernels();
            match branch {
                BranchConfig::Spectrum(spectrum) => {
                    let plan = fast.then(|| spectrum_plan(spectrum, config)).flatten();
                    Branch::spectrum(spectrum, plan, &layers)
                }
                BranchConfig::Stft(stft) => {
                    let shape = features::shape(branch, config.clip_samples());
                    let plan = fast.then(|| stft_plan(stft, shape, config)).flatten();
                    Branch::stft(stft, shape, plan, &layers)
                }
            }
        });
        Self { branches: branches.collect() }
    }
}

impl Forward for Network {
    fn forward(&self, features: BatchFeatures) -> Vec<f32> {
        let clips = features.clips;
        let branches = self.branches.iter().zip(features.branches);
        let parts: Vec<Vec<f32>> =
            branches.map(|(branch, values)| branch.embed(clips, &values)).collect();
        let row = |clip: usize| {
            let part = move |part: &Vec<f32>| {
                let dims = part.len() / clips;
                part[clip * dims..(clip + 1) * dims].to_vec()
            };
            parts.iter().flat_map(part).collect::<Vec<f32>>()
        };
        (0..clips).flat_map(row).collect()
    }

    fn forward_branch(&self, branch: usize, clips: usize, features: &[f32]) -> Vec<f32> {
        self.branches[branch].embed(clips, features)
    }

    fn kernels(&self) -> Vec<String> {
        let name = |branch: &Branch| {
            let level = match &branch.convolutions {
                Convolutions::Spectrum(fast) => fast.plan().level(),
                Convolutions::Stft(fast) => fast.plan().level(),
                Convolutions::PlainSpectrum(_) | Convolutions::PlainStft(_) => {
                    return "reference".to_owned();
                }
            };
            format!("fast ({})", level.name())
        };
        self.branches.iter().map(name).collect()
    }
}

impl Branch {
    fn spectrum(config: &SpectrumConfig, plan: Option<SpectrumPlan>, layers: &Layers<'_>) -> Self {
        let convolutions = match plan {
            Some(plan) => {
                let kernels: Vec<&[f32]> = (0..config.kernels.len())
                    .map(|layer| layers.values(&format!("convolutions.{layer}.weight")))
                    .collect();
                Convolutions::Spectrum(
                    SpectrumInference::new(plan, &kernels)
                        .expect("weights and plan are of one configuration"),
                )
            }
            None => Convolutions::PlainSpectrum(PlainSpectrum::new(config, layers)),
        };
        Self { convolutions, dense: layers.dense_stack(config.dense_layers) }
    }

    fn stft(
        config: &StftConfig,
        shape: (usize, usize),
        plan: Option<SpectrogramPlan>,
        layers: &Layers<'_>,
    ) -> Self {
        let convolutions = match plan {
            Some(plan) => Convolutions::Stft(stft_kernels(plan, config, layers)),
            None => Convolutions::PlainStft(PlainStft::new(config, shape, layers)),
        };
        let head = FoldedDense::after_norm(
            layers.values("head.weight"),
            layers.bias("head"),
            &layers.norm("head_norm"),
        );
        Self { convolutions, dense: vec![head] }
    }

    /// `[clips, ..]` to `[clips, dims]`, row-major.
    fn embed(&self, clips: usize, features: &[f32]) -> Vec<f32> {
        let maps = self.convolve(features, clips);
        let of_clip =
            |map: &[f32]| self.dense.iter().fold(map.to_vec(), |x, layer| layer.forward(&x));
        maps.par_chunks_exact((maps.len() / clips.max(1)).max(1)).flat_map_iter(of_clip).collect()
    }

    fn convolve(&self, input: &[f32], clips: usize) -> Vec<f32> {
        let one_by_one = |of_clip: &(dyn Fn(&[f32]) -> Vec<f32> + Sync)| {
            let length = (input.len() / clips.max(1)).max(1);
            input.par_chunks_exact(length).flat_map_iter(of_clip).collect()
        };
        match &self.convolutions {
            Convolutions::Spectrum(spectrum) => {
                let mut output = vec![0.0; clips * spectrum.plan().output_len()];
                spectrum.run(input, &mut output).expect("input and output are whole clips");
                output
            }
            Convolutions::Stft(stft) => stft.embed(input, clips).expect("the input is whole clips"),
            Convolutions::PlainSpectrum(plain) => one_by_one(&|clip| plain.forward(clip)),
            Convolutions::PlainStft(plain) => one_by_one(&|clip| plain.forward(clip)),
        }
    }
}

/// The fast kernels' plan for a spectrum branch, where they cover it.
pub fn spectrum_plan(branch: &SpectrumConfig, config: &EncoderConfig) -> Option<SpectrumPlan> {
    let plan = SpectrumPlan::new(offkey_kernels::spectrum::SpectrumConfig {
        bins: config.clip_samples() / 2,
        filters: branch.filters,
        kernels: branch.kernels.clone(),
        strides: branch.strides.clone(),
    });
    plan.ok()
}

/// The fast kernels' plan for a spectrogram branch up to its pooling over time, where they cover
/// it. `shape`: frames and bins.
pub fn stft_plan(
    branch: &StftConfig,
    (frames, bins): (usize, usize),
    config: &EncoderConfig,
) -> Option<SpectrogramPlan> {
    let plan = SpectrogramPlan::new(offkey_kernels::spectrogram::SpectrogramConfig {
        frames,
        bins,
        stem_channels: branch.stage_channels[0],
        stem_stride: [branch.stem_stride; 2],
        stage_channels: branch.stage_channels.clone(),
        norm_affine: config.batch_norm_affine,
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
