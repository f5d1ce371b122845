//! Training: windows in a new order every epoch, by our kernels on the processor, else by the
//! framework's plain layers.

use std::ops::ControlFlow;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use offkey_infer::{Compute, DeviceKind, Kernels, autoencoder::AutoencoderConfig};
use offkey_kernels::autoencoder::AutoencoderSteps;
use rand::seq::SliceRandom;

use super::{AutoencoderJob, AutoencoderTrainError, network::AutoencoderNetwork};
use crate::{
    adam::{Adam, FlatAdam},
    network::{NORM_MOMENTUM, Pass, update_running},
    tensors::values_of,
};

/// Something that learns from windows.
trait Trainer {
    /// One step on these windows; their mean squared error before it.
    fn step(&mut self, windows: &[&[f32]]) -> f64;

    /// What was learned.
    fn network(self: Box<Self>) -> AutoencoderNetwork;
}

/// Trains on all windows of all clips.
pub(super) fn train(
    job: &AutoencoderJob<'_>,
    spectrograms: &[Vec<f32>],
    device: &Device,
    progress: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<AutoencoderNetwork, AutoencoderTrainError> {
    let config = job.config;
    let mels = config.log_mel.mels;
    let mut windows: Vec<(usize, usize)> = Vec::new();
    for (clip, frames) in spectrograms.iter().enumerate() {
        let count = frames.len() / mels + 1 - config.frames;
        windows.extend((0..count).map(|window| (clip, window * mels)));
    }
    if windows.len() < 2 {
        return Err(AutoencoderTrainError::TooFewWindows { found: windows.len() });
    }
    let network =
        AutoencoderNetwork::new(config, job.seed.child("network"), &device.clone().autodiff());
    let mut trainer: Box<dyn Trainer> = match job.compute {
        Compute { device: DeviceKind::Cpu, kernels: Kernels::Auto } => {
            Box::new(ByKernels::new(network, config))
        }
        _ => Box::new(ByLayers { network, adam: Adam::new(config.learning_rate, 0.0) }),
    };
    for epoch in 0..config.epochs {
        windows.sort_unstable();
        windows.shuffle(&mut job.seed.child("order").child(epoch).rng());
        let mut sum = 0.0;
        for batch in windows.chunks(config.batch_windows).filter(|batch| batch.len() > 1) {
            let window =
                |&(clip, at): &(usize, usize)| &spectrograms[clip][at..][..config.inputs()];
            let batch: Vec<&[f32]> = batch.iter().map(window).collect();
            sum += trainer.step(&batch) * batch.len() as f64;
        }
        let error = sum / windows.len() as f64;
        if !error.is_finite() {
            return Err(AutoencoderTrainError::Diverged { epoch, error });
        }
        if progress(epoch, error).is_break() {
            return Err(AutoencoderTrainError::Stopped { epoch });
        }
    }
    Ok(trainer.network())
}

/// The framework's layers and gradients.
struct ByLayers {
    network: AutoencoderNetwork,
    adam: Adam,
}

impl Trainer for ByLayers {
    fn step(&mut self, windows: &[&[f32]]) -> f64 {
        let width = windows.first().map_or(0, |window| window.len());
        let data = TensorData::new(windows.concat(), [windows.len(), width]);
        let input: Tensor<2> = Tensor::from_data(data, &self.network.devices()[0]);
        let mut pass = Pass::Train(Vec::new());
        let error = (self.network.forward(input.clone(), &mut pass) - input).square().mean();
        let value = values_of(error.clone().inner())[0];
        self.network = self.adam.step(self.network.clone(), &mut error.backward());
        update_running(self.network.norms_mut(), pass, NORM_MOMENTUM);
        f64::from(value)
    }

    fn network(self: Box<Self>) -> AutoencoderNetwork {
        self.network
    }
}

/// The same steps by our kernels. Biases before a norm, which takes them away again, stay 0.
struct ByKernels {
    /// As it was made; behind until it is asked for.
    network: AutoencoderNetwork,
    steps: AutoencoderSteps,
    adam: FlatAdam,
    /// Running mean and variance of each norm.
    running: Vec<[Vec<f32>; 2]>,
}

impl ByKernels {
    fn new(network: AutoencoderNetwork, config: &AutoencoderConfig) -> Self {
        let hidden = config.hidden_widths();
        let widths = [&[config.inputs()], &hidden[..]].concat();
        let mut steps = AutoencoderSteps::new(&widths).expect("the configuration was checked");
        steps.set(&network.parameters()).expect("the network has these widths");
        let running = hidden.iter().map(|&width| [vec![0.0; width], vec![1.0; width]]).collect();
        Self { network, steps, adam: FlatAdam::new(config.learning_rate), running }
    }
}

impl Trainer for ByKernels {
    fn step(&mut self, windows: &[&[f32]]) -> f64 {
        let error = self.steps.step(windows).expect("windows are as wide as the input");
        self.adam.step(self.steps.slopes().map(|slope| (slope.values, slope.gradient)));
        for (running, batch) in self.running.iter_mut().zip(self.steps.statistics()) {
            for (running, batch) in running.iter_mut().zip(batch) {
                for (running, &batch) in running.iter_mut().zip(batch) {
                    *running += NORM_MOMENTUM as f32 * (batch - *running);
                }
            }
        }
        error
    }

    fn network(self: Box<Self>) -> AutoencoderNetwork {
        self.network.with_parameters(self.steps.parameters(), self.running)
    }
}
