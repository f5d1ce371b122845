//! Training: windows in a new order every epoch, by the framework's layers.

use std::ops::ControlFlow;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use rand::seq::SliceRandom;

use super::{
    job::{AutoencoderJob, AutoencoderTrainError},
    network::AutoencoderNetwork,
};
use crate::{
    adam::{Adam, Shares},
    network::{NORM_MOMENTUM, Pass, update_running},
    tensors::values_of,
};

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
    let mut network =
        AutoencoderNetwork::new(config, job.seed.child("network"), &device.clone().autodiff());
    let mut adam = Adam::new(config.learning_rate, 0.0);
    for epoch in 0..config.epochs {
        windows.sort_unstable();
        windows.shuffle(&mut job.seed.child("order").child(epoch).rng());
        let mut sum = 0.0;
        for batch in windows.chunks(config.batch_windows).filter(|batch| batch.len() > 1) {
            let window =
                |&(clip, at): &(usize, usize)| &spectrograms[clip][at..][..config.inputs()];
            let batch: Vec<&[f32]> = batch.iter().map(window).collect();
            sum += step(&mut network, &mut adam, &batch) * batch.len() as f64;
        }
        let error = sum / windows.len() as f64;
        if !error.is_finite() {
            return Err(AutoencoderTrainError::Diverged { epoch, error });
        }
        if progress(epoch, error).is_break() {
            return Err(AutoencoderTrainError::Stopped { epoch });
        }
    }
    Ok(network)
}

/// One step on these windows; their mean squared error before it.
fn step(network: &mut AutoencoderNetwork, adam: &mut Adam, windows: &[&[f32]]) -> f64 {
    let width = windows.first().map_or(0, |window| window.len());
    let data = TensorData::new(windows.concat(), [windows.len(), width]);
    let input: Tensor<2> = Tensor::from_data(data, &network.devices()[0]);
    let mut pass = Pass::Train(Vec::new());
    let error = (network.forward(input.clone(), &mut pass) - input).square().mean();
    let value = values_of(error.clone().inner())[0];
    *network = adam.step(network.clone(), &mut error.backward(), Shares::ALL);
    update_running(network.norms_mut(), pass, NORM_MOMENTUM);
    f64::from(value)
}
