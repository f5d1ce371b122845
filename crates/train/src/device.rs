//! The framework's device.

use burn::tensor::Device;
use offkey_infer::{Compute, DeviceKind, ModelError};

/// The framework's device.
#[cfg_attr(
    feature = "gpu",
    expect(clippy::unnecessary_wraps, reason = "without the feature a graphics card is an error")
)]
pub(crate) fn device(compute: Compute) -> Result<Device, ModelError> {
    match compute.device {
        DeviceKind::Cpu => Ok(Device::flex()),
        #[cfg(feature = "gpu")]
        DeviceKind::Gpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(not(feature = "gpu"))]
        DeviceKind::Gpu => Err(ModelError::Device {
            device: compute.device,
            problem: "this build lacks the cargo feature `gpu`".to_owned(),
        }),
    }
}
