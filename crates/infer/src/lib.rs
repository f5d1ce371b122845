//! Sound to embeddings without training: models that are loaded, or fitted in one pass.
//!
//! Nothing here knows the tensor framework, labels or scores.

pub mod autoencoder;
mod branch;
mod card;
mod clip_shape;
mod compute;
mod config;
mod config_error;
mod encoder;
mod error;
pub mod features;
pub mod foreign;
mod layers;
mod magnitude;
mod model;
mod network;
mod parts;
pub mod pooled;
mod source;
pub mod statistics;
pub mod weights;

pub use branch::{
    Axes, BranchConfig, BranchRegistry, CustomBranch, NamedBranch, SpectrumConfig, StftConfig,
    spectrum_plan, stft_plan,
};
pub use card::{ModelCard, clear_model, write_model};
pub use clip_shape::ClipShape;
pub use compute::{Compute, DeviceKind, Kernels};
pub use config::EncoderConfig;
pub use config_error::ConfigError;
pub use encoder::{Encoder, normalised, side_by_side};
pub use error::ModelError;
pub use features::ClipFeatures;
pub use layers::{FoldedDense, FoldedNorm, SQUEEZE_RATIO, STEM_KERNEL, Switches, padding_before};
pub use magnitude::{Magnitude, QUIETEST};
pub use model::Model;
pub use network::{Forward, Network};
pub use source::{ClipSource, SourceError};
pub use statistics::{Statistics, StatisticsConfig, StatisticsError};
