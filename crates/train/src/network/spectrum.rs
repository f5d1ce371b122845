//! The spectrum branch: convolutions with long kernels over the spectrum of the whole clip.

use burn::{
    module::Module,
    tensor::{Tensor, activation::relu},
};
use offkey_infer::SpectrumConfig;

use super::layers::{BatchNorm, Conv1d, Dense, Maker, Pass, SqueezeExcitation, flat};
use crate::engine::Engine;

/// `[clips, bins]` to `[clips, dims]`.
#[derive(Module, Debug)]
pub(crate) struct SpectrumBranch {
    pub(crate) convolutions: Vec<Conv1d>,
    squeezes: Vec<SqueezeExcitation>,
    pub(crate) hidden: Vec<HiddenLayer>,
    pub(crate) last: Dense,
    #[module(skip)]
    engine: Option<Engine>,
}

/// Dense, batch norm, `ReLU`.
#[derive(Module, Debug)]
pub(crate) struct HiddenLayer {
    pub(crate) dense: Dense,
    pub(crate) norm: BatchNorm,
}

impl SpectrumBranch {
    pub(crate) fn new(config: &SpectrumConfig, clip_samples: usize, make: Maker<'_>) -> Self {
        let mut inputs = 1;
        let mut positions = clip_samples / 2;
        let mut convolutions = Vec::new();
        let mut squeezes = Vec::new();
        for (layer, (&kernel, &stride)) in config.kernels.iter().zip(&config.strides).enumerate() {
            let make = make.child("convolution").child(layer);
            convolutions.push(make.conv1d(inputs, config.filters, kernel, stride));
            squeezes.extend(make.child("squeeze").squeeze(config.filters));
            inputs = config.filters;
            positions = positions.div_ceil(stride);
        }
        let mut inputs = config.filters * positions;
        let mut hidden = Vec::new();
        for layer in 0..config.dense_layers {
            let make = make.child("hidden").child(layer);
            let dense = make.dense(inputs, config.dims);
            hidden.push(HiddenLayer { dense, norm: make.norm(config.dims) });
            inputs = config.dims;
        }
        let last = make.child("last").dense(inputs, config.dims);
        let engine = Engine::spectrum(config, make.config, make.compute);
        Self { convolutions, squeezes, hidden, last, engine }
    }

    pub(crate) fn forward(&self, features: Tensor<2>, pass: &mut Pass) -> Tensor<2> {
        let mut x = match (&self.engine, &pass) {
            (Some(engine), Pass::Train(_)) => self.convolve_fast(engine, features),
            _ => self.convolve(features),
        };
        for layer in &self.hidden {
            x = relu(layer.norm.forward(layer.dense.forward(x), pass));
        }
        self.last.forward(x)
    }

    /// The convolutions on plain layers, flat.
    fn convolve(&self, features: Tensor<2>) -> Tensor<2> {
        let mut x: Tensor<3> = features.unsqueeze_dim(1);
        for (layer, convolution) in self.convolutions.iter().enumerate() {
            x = relu(convolution.forward(x));
            if let Some(squeeze) = self.squeezes.get(layer) {
                x = squeeze.forward(x);
            }
        }
        x.flatten(1, 2)
    }

    /// The same on the fast kernels.
    fn convolve_fast(&self, engine: &Engine, features: Tensor<2>) -> Tensor<2> {
        let clips = features.dims()[0];
        engine.train(self.parameters(), features.flatten(0, 1), clips).0
    }

    /// Kernels of the convolutions in one row.
    fn parameters(&self) -> Tensor<1> {
        Tensor::cat(self.convolutions.iter().map(|layer| flat(&layer.weight)).collect(), 0)
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    pub(crate) fn norms_mut(&mut self) -> Vec<&mut BatchNorm> {
        self.hidden.iter_mut().map(|layer| &mut layer.norm).collect()
    }
}
