//! Sound to embeddings without training: models that are loaded, or fitted in one pass.
//!
//! Nothing here knows the tensor framework, labels or scores.

pub mod autoencoder;
mod card;
mod clip_shape;
mod compute;
mod config;
mod cost;
mod encoder;
mod error;
pub mod features;
pub mod foreign;
mod model;
mod network;
mod parts;
pub mod pooled;
mod source;
pub mod statistics;
pub mod weights;

pub use card::{ModelCard, clear_model, write_model};
pub use clip_shape::ClipShape;
pub use compute::{Compute, DeviceKind, Kernels};
pub use config::{BranchConfig, ConfigError, EncoderConfig, Magnitude, SpectrumConfig, StftConfig};
pub use encoder::{Encoder, normalised, side_by_side};
pub use error::ModelError;
pub use features::{BranchFeatures, ClipFeatures};
pub use model::Model;
pub use network::{
    FoldedDense, FoldedNorm, Forward, Network, SQUEEZE_RATIO, STEM_KERNEL, padding_before,
    spectrum_plan, stft_plan,
};
pub use source::{ClipSource, SourceError};
pub use statistics::{Statistics, StatisticsConfig, StatisticsError};
