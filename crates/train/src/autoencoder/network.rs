//! The autoencoder's layers: dense, batch norm, `ReLU`, around a narrow waist.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::relu},
};
use offkey_core::Seed;
use offkey_infer::{Compute, EncoderConfig, autoencoder::AutoencoderConfig};

use crate::{
    engine::Idle,
    network::{BatchNorm, Dense, HiddenLayer, Maker, Pass},
};

/// `[windows, frames * mels]` to the same.
#[derive(Module, Debug)]
pub(super) struct AutoencoderNetwork {
    hidden: Vec<HiddenLayer>,
    last: Dense,
}

impl AutoencoderNetwork {
    pub(super) fn new(config: &AutoencoderConfig, seed: Seed, device: &Device) -> Self {
        let layers = EncoderConfig { bias: true, ..EncoderConfig::default() };
        let (compute, buffers) = (Compute::default(), &Idle::default());
        let make = Maker { config: &layers, seed, device, compute, buffers };
        let mut inputs = config.inputs();
        let mut hidden = Vec::new();
        for (layer, width) in config.hidden_widths().into_iter().enumerate() {
            let dense = make.child("hidden").child(layer).dense(inputs, width);
            hidden.push(HiddenLayer { dense, norm: make.norm(width) });
            inputs = width;
        }
        let last = make.child("last").dense(inputs, config.inputs());
        Self { hidden, last }
    }

    pub(super) fn forward(&self, x: Tensor<2>, pass: &mut Pass) -> Tensor<2> {
        let step = |x, layer: &HiddenLayer| relu(layer.norm.forward(layer.dense.forward(x), pass));
        self.last.forward(self.hidden.iter().fold(x, step))
    }

    pub(super) fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        self.hidden.iter_mut().map(|layer| &mut layer.norm)
    }
}
