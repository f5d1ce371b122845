//! Synthetic machines with known faults.
//!
//! Sounds are made from causes: a shaft that turns, teeth that mesh, air that flows, parts that
//! strike each other, and structures that ring ([`machine`]); then the ways in which these go
//! wrong ([`fault`]); then a hall around them ([`noise`]). [`generate`] writes a data set in the
//! challenge's layout; [`plant`](mod@plant) puts a fault of known place and level into any
//! recording. Results on such data show that a system works as meant; they say nothing about how
//! it compares with another.

mod blows;
mod config;
mod dataset;
mod disturbance;
pub mod fault;
pub mod machine;
pub mod noise;
pub mod plant;
mod resonance;

pub use blows::Bearing;
pub use config::{SynthConfig, SynthError, SynthReport};
pub use dataset::generate;
pub use fault::{Fault, FaultKind};
pub use machine::{Machine, MachineKind, Operation};
pub use noise::{factory_noise, mix_at_snr, pink_noise, white_noise};
pub use plant::{PlantedFault, Region, plant};
