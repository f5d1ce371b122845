//! The spectrum branch: convolutions with long kernels over the spectrum of the whole clip.

use offkey_kernels::spectrum::{SpectrumInference, SpectrumPlan};
use offkey_signal::spectrum_into;
use serde::{Deserialize, Serialize};

use super::kind::{
    Axes, Branch, BranchNetwork, Build, clip_by_clip, fast, reference, through_dense,
};
use crate::{
    ConfigError, FoldedDense, Magnitude,
    config_error::{MOST_LAYERS, positive, small},
    layers::{Convolution, Cost, Layers, Map, Squeeze, TensorList},
};

/// The spectrum branch; defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpectrumConfig {
    /// How magnitudes enter.
    pub magnitude: Magnitude,
    /// Channels of every convolution.
    pub filters: usize,
    /// Length of each convolution's kernel, in bins of its input.
    pub kernels: Vec<usize>,
    /// Step of each convolution, as many as kernels.
    pub strides: Vec<usize>,
    /// Dense layers with batch normalisation and `ReLU` before the last, linear one.
    pub dense_layers: usize,
    /// Width of the dense layers and length of this branch's part of the embedding.
    pub dims: usize,
}

impl Default for SpectrumConfig {
    fn default() -> Self {
        Self {
            magnitude: Magnitude::Linear,
            filters: 128,
            kernels: vec![256, 64, 16],
            strides: vec![64, 32, 4],
            dense_layers: 4,
            dims: 128,
        }
    }
}

impl Branch for SpectrumConfig {
    fn dims(&self) -> usize {
        self.dims
    }

    fn shape(&self, clip_samples: usize) -> (usize, usize) {
        (1, clip_samples / 2)
    }

    fn axes(&self) -> Axes {
        Axes::Spectrum
    }

    fn check(&self, branch: usize, clip_samples: usize) -> Result<(), ConfigError> {
        positive(branch, "filters", &[self.filters])?;
        positive(branch, "kernels", &self.kernels)?;
        positive(branch, "strides", &self.strides)?;
        positive(branch, "dims", &[self.dims])?;
        small("filters", &[self.filters])?;
        small("kernels", &self.kernels)?;
        small("strides", &self.strides)?;
        small("dims", &[self.dims])?;
        if self.dense_layers > MOST_LAYERS {
            let (field, found) = ("dense_layers", self.dense_layers.to_string());
            return Err(ConfigError::Size { field, found, expected: "at most 64" });
        }
        if self.strides.len() != self.kernels.len() {
            return Err(ConfigError::Branch {
                branch,
                field: "strides",
                found: format!("{:?}", self.strides),
                expected: "as many as `kernels`",
            });
        }
        if clip_samples < 2 {
            return Err(ConfigError::TooShort { branch, clip_samples, layer: "spectrum" });
        }
        Ok(())
    }

    fn features(&self, wave: &[f32], out: &mut [f32]) {
        spectrum_into(wave, out).expect("the buffer has the features' shape");
    }

    fn condition(&self, values: &mut [f32], _: (usize, usize)) {
        self.magnitude.apply(values);
    }

    fn tensors(&self, list: &mut TensorList, (_, bins): (usize, usize)) {
        let (mut inputs, mut positions) = (1, bins);
        for (layer, (&kernel, &stride)) in self.kernels.iter().zip(&self.strides).enumerate() {
            list.kernel(&format!("convolutions.{layer}"), &[self.filters, inputs, kernel]);
            inputs = self.filters;
            positions = positions.div_ceil(stride);
        }
        for layer in 0..self.kernels.len() {
            list.squeeze(&format!("squeezes.{layer}"), self.filters);
        }
        let mut inputs = self.filters * positions;
        for layer in 0..self.dense_layers {
            list.kernel(&format!("hidden.{layer}.dense"), &[self.dims, inputs]);
            list.norm(&format!("hidden.{layer}.norm"), self.dims);
            inputs = self.dims;
        }
        list.kernel("last", &[self.dims, inputs]);
    }

    fn cost(&self, cost: &mut Cost, (_, bins): (usize, usize)) {
        let (mut inputs, mut positions) = (1, bins);
        for (&kernel, &stride) in self.kernels.iter().zip(&self.strides) {
            positions = positions.div_ceil(stride);
            cost.kernel(inputs, self.filters, kernel, positions);
            cost.squeeze(self.filters);
            inputs = self.filters;
        }
        let mut inputs = self.filters * positions;
        for _ in 0..self.dense_layers {
            cost.kernel(inputs, self.dims, 1, 1);
            inputs = self.dims;
        }
        cost.kernel(inputs, self.dims, 1, 1);
    }

    fn network(&self, build: &Build<'_>) -> Box<dyn BranchNetwork> {
        let layers = &build.layers;
        let plan = build.takes_kernels().then(|| spectrum_plan(self, build.clip_samples)).flatten();
        let convolutions = match plan {
            Some(plan) => {
                let kernels: Vec<&[f32]> = (0..self.kernels.len())
                    .map(|layer| layers.values(&format!("convolutions.{layer}.weight")))
                    .collect();
                Convolutions::Fast(
                    SpectrumInference::new(plan, &kernels)
                        .expect("weights and plan are of one configuration"),
                )
            }
            None => Convolutions::Plain(PlainSpectrum::new(self, layers)),
        };
        let bins = self.shape(build.clip_samples).1;
        Box::new(Network { bins, convolutions, dense: layers.dense_stack(self.dense_layers) })
    }
}

#[derive(Debug)]
struct Network {
    bins: usize,
    convolutions: Convolutions,
    dense: Vec<FoldedDense>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a network has one per branch")]
enum Convolutions {
    Fast(SpectrumInference),
    Plain(PlainSpectrum),
}

impl BranchNetwork for Network {
    fn embed(&self, clips: usize, features: &[f32]) -> Vec<f32> {
        let maps = match &self.convolutions {
            Convolutions::Fast(fast) => {
                let mut maps = vec![0.0; clips * fast.plan().output_len()];
                fast.run(features, &mut maps).expect("input and output are whole clips");
                maps
            }
            Convolutions::Plain(plain) => {
                clip_by_clip(self.bins, features, |clip| plain.forward(clip))
            }
        };
        through_dense(&self.dense, clips, &maps)
    }

    fn kernels(&self) -> String {
        match &self.convolutions {
            Convolutions::Fast(kernels) => fast(kernels.plan().level()),
            Convolutions::Plain(_) => reference(),
        }
    }
}

/// The fast kernels' plan for a spectrum branch, where they cover it.
pub fn spectrum_plan(branch: &SpectrumConfig, clip_samples: usize) -> Option<SpectrumPlan> {
    let plan = SpectrumPlan::new(offkey_kernels::spectrum::SpectrumConfig {
        bins: clip_samples / 2,
        filters: branch.filters,
        kernels: branch.kernels.clone(),
        strides: branch.strides.clone(),
    });
    plan.ok()
}

/// The convolutions in plain loops.
#[derive(Debug)]
struct PlainSpectrum {
    layers: Vec<(Convolution, Option<Squeeze>)>,
}

impl PlainSpectrum {
    fn new(config: &SpectrumConfig, layers: &Layers<'_>) -> Self {
        let layer = |(index, (&taps, &stride)): (usize, (&usize, &usize))| {
            let name = format!("convolutions.{index}");
            let convolution = Convolution::new(layers, &name, [1, taps], [1, stride]);
            (convolution, Squeeze::new(layers, &format!("squeezes.{index}")))
        };
        Self { layers: config.kernels.iter().zip(&config.strides).enumerate().map(layer).collect() }
    }

    /// `[bins]` to `[filters, positions]`.
    fn forward(&self, spectrum: &[f32]) -> Vec<f32> {
        let input =
            Map { rows: 1, columns: spectrum.len(), channels: 1, values: spectrum.to_vec() };
        let layer = |x: Map, (convolution, squeeze): &(Convolution, Option<Squeeze>)| {
            let x = convolution.forward(&x).relu();
            match squeeze {
                Some(squeeze) => squeeze.forward(x),
                None => x,
            }
        };
        self.layers.iter().fold(input, layer).channels_first()
    }
}
