//! Encoders that compute on the device that was asked for.

use std::path::Path;

use offkey_infer::{
    BranchRegistry, Compute, DeviceKind, Encoder, EncoderConfig, Forward, ModelCard, ModelError,
    weights::NamedTensors,
};

use crate::{device::device, network::Network, tensors::collect};

/// What computes the embeddings of a network, with its running statistics, on a device.
#[cfg_attr(
    not(feature = "gpu"),
    expect(clippy::needless_pass_by_value, reason = "on a graphics card the network moves in")
)]
pub(crate) fn evaluator(
    config: &EncoderConfig,
    network: Network,
    compute: Compute,
) -> Result<Box<dyn Forward>, ModelError> {
    match compute.device {
        DeviceKind::Cpu => {
            let weights = collect(&network);
            Ok(Box::new(offkey_infer::Network::new(config, &weights, compute.kernels)))
        }
        #[cfg(feature = "gpu")]
        DeviceKind::Gpu => Ok(crate::gpu::evaluator(config, network, device(compute)?)),
        #[cfg(not(feature = "gpu"))]
        DeviceKind::Gpu => Err(device(compute).expect_err("there is no card without the feature")),
    }
}

/// Loads an encoder for the processor or, with the cargo feature `gpu`, for a graphics card. Branches
/// of other crates are looked up.
///
/// # Errors
/// [`ModelError`] when a file is absent, damaged, or does not fit the others, when a branch is not
/// registered, or when the device is not there.
pub fn load_encoder(
    folder: &Path,
    branches: &BranchRegistry,
    compute: Compute,
) -> Result<Encoder, ModelError> {
    on_device(compute, |compute| Encoder::load_with(folder, branches, compute))
}

/// The encoder of a card and its weights, on the device that was asked for; `path` stands for them
/// in errors.
pub(crate) fn placed(
    card: ModelCard,
    weights: NamedTensors,
    path: &Path,
    compute: Compute,
) -> Result<Encoder, ModelError> {
    on_device(compute, |compute| Encoder::on_processor(card, weights, path, compute))
}

fn on_device(
    compute: Compute,
    load: impl FnOnce(Compute) -> Result<Encoder, ModelError>,
) -> Result<Encoder, ModelError> {
    match compute.device {
        DeviceKind::Cpu => load(compute),
        #[cfg(feature = "gpu")]
        DeviceKind::Gpu => {
            let encoder = load(Compute { device: DeviceKind::Cpu, ..compute })?;
            crate::gpu::on_card(encoder, compute)
        }
        #[cfg(not(feature = "gpu"))]
        DeviceKind::Gpu => Err(device(compute).expect_err("there is no card without the feature")),
    }
}
