//! Encoders on a graphics card: the same models, computed by the framework's layers.

use burn::tensor::Device;
use offkey_core::Seed;
use offkey_infer::{Compute, Encoder, EncoderConfig, Forward, ModelError, features::BatchFeatures};

use crate::{
    device::device,
    network::{Network, Pass, branch_input, into_inputs},
    tensors::{restore, values_of},
};

/// The framework's layers with an encoder's weights.
#[derive(Debug)]
struct OnCard {
    config: EncoderConfig,
    network: Network,
    device: Device,
}

/// The encoder, computed on the device.
pub(crate) fn on_card(encoder: Encoder, compute: Compute) -> Result<Encoder, ModelError> {
    let device = device(compute)?;
    let network = Network::new(encoder.config(), Seed::new(0), &device, compute);
    let network = restore(network, encoder.weights().clone(), "encoder".as_ref())?;
    let network = evaluator(encoder.config(), network, device);
    Ok(encoder.computed_by(network))
}

/// What computes the network's embeddings on the device it is on.
pub(crate) fn evaluator(
    config: &EncoderConfig,
    network: Network,
    device: Device,
) -> Box<dyn Forward> {
    Box::new(OnCard { config: config.clone(), network, device })
}

impl Forward for OnCard {
    fn forward(&self, features: BatchFeatures) -> Vec<f32> {
        let inputs = into_inputs(features, &self.config, &self.device);
        values_of(self.network.forward(inputs, &mut Pass::Evaluate))
    }

    fn forward_branch(&self, branch: usize, clips: usize, values: &[f32]) -> Vec<f32> {
        let config = &self.config.branches[branch];
        let shape = config.shape(self.config.clip_samples());
        let input = branch_input(values.to_vec(), clips, shape, &self.device);
        values_of(self.network.forward_branch(branch, input))
    }

    fn kernels(&self) -> Vec<String> {
        self.network.kernels()
    }
}
