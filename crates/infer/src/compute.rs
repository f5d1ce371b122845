//! Where and with which kernels the network runs.

use serde::{Deserialize, Serialize};

/// Device and kernels. The device is always named, never picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compute {
    /// The device.
    pub device: DeviceKind,
    /// The kernels.
    pub kernels: Kernels,
}

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// The processor.
    #[default]
    Cpu,
    /// The first graphics card, through Vulkan, Metal or `WebGPU`. Needs the cargo feature `gpu`.
    Gpu,
}

/// Which kernels compute the network's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// The fast kernels on the processor, where they cover the architecture, else the plain ones.
    #[default]
    Auto,
    /// Plain layers: slower, the reference for the fast kernels.
    Reference,
}

impl std::fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        })
    }
}

impl std::fmt::Display for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Reference => "reference",
        })
    }
}
