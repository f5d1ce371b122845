//! The autoencoder's layers: dense, batch norm, `ReLU`, around a narrow waist.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation::relu},
};
use offkey_core::Seed;
use offkey_infer::{Compute, EncoderConfig, autoencoder::AutoencoderConfig};
use offkey_kernels::autoencoder::DenseParameters;

use crate::{
    engine::Idle,
    network::{BatchNorm, Dense, HiddenLayer, Maker, Pass},
    tensors::{values_of, with_values},
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

    /// The parameters of every layer, as our kernels take them.
    pub(super) fn parameters(&self) -> Vec<DenseParameters> {
        let hidden = self.hidden.iter().map(|HiddenLayer { dense, norm }| DenseParameters {
            weight: values_of(dense.weight.val()),
            gamma: norm.gamma.as_ref().map(|gamma| values_of(gamma.val())),
            shift: norm.beta.as_ref().map_or_else(Vec::new, |beta| values_of(beta.val())),
        });
        let last = DenseParameters {
            weight: values_of(self.last.weight.val()),
            gamma: None,
            shift: self.last.bias.as_ref().map_or_else(Vec::new, |bias| values_of(bias.val())),
        };
        hidden.chain([last]).collect()
    }

    /// The same network with other parameters, and running mean and variance of every norm.
    pub(super) fn with_parameters(
        mut self,
        parameters: Vec<DenseParameters>,
        running: Vec<[Vec<f32>; 2]>,
    ) -> Self {
        let mut parameters = parameters.into_iter();
        let hidden = self.hidden.iter_mut().zip(parameters.by_ref()).zip(running);
        for ((HiddenLayer { dense, norm }, parameters), [mean, variance]) in hidden {
            put(&mut dense.weight, parameters.weight);
            norm.gamma.iter_mut().zip(parameters.gamma).for_each(|(to, from)| put(to, from));
            norm.beta.iter_mut().for_each(|to| put(to, parameters.shift.clone()));
            put(&mut norm.running_mean, mean);
            put(&mut norm.running_variance, variance);
        }
        for parameters in parameters {
            put(&mut self.last.weight, parameters.weight);
            self.last.bias.iter_mut().for_each(|to| put(to, parameters.shift.clone()));
        }
        self
    }

    pub(super) fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        self.hidden.iter_mut().map(|layer| &mut layer.norm)
    }
}

/// Puts numbers in the place of a parameter's.
fn put<const D: usize>(param: &mut Param<Tensor<D>>, values: Vec<f32>) {
    *param = with_values(param.clone(), values);
}
