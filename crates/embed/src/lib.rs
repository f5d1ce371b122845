//! Features to embeddings: encoders, losses, training.
//!
//! This crate alone knows the tensor framework, and shows none of it: configurations, waveforms
//! and arrays go in, arrays and a model folder come out.

mod adam;
pub mod autoencoder;
mod compute;
mod config;
mod cost;
mod encoder;
mod fast;
mod features;
pub mod loss;
mod masking;
mod model;
mod network;
mod observer;
mod parts;
mod self_supervision;
mod source;
pub mod statistics;
mod train;
mod weights;

pub use compute::{Compute, DeviceKind, Kernels};
pub use config::{BranchConfig, ConfigError, EncoderConfig, Magnitude, SpectrumConfig, StftConfig};
pub use encoder::{Encoder, normalised};
pub use features::{BranchFeatures, ClipFeatures};
pub use loss::LossConfig;
pub use masking::MaskingConfig;
pub use model::{ModelCard, ModelError};
pub use observer::{Compactness, EpochEvent, StepEvent, TrainObserver};
pub use self_supervision::SelfSupervision;
pub use source::{ClipSource, Labels, SourceError};
pub use statistics::{Statistics, StatisticsConfig};
pub use train::{
    BatchNormStatistics, TrainConfig, TrainError, TrainJob, TrainLength, TrainReport, train,
};
