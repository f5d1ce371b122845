//! Features to embeddings: encoders, losses, training.
//!
//! This crate alone knows the tensor framework, and shows none of it: configurations, waveforms
//! and arrays go in, arrays and a model folder come out.

mod compute;
mod config;
mod encoder;
pub mod loss;
mod observer;
mod source;
mod train;

pub use compute::{Compute, DeviceKind, Kernels};
pub use config::{BranchConfig, ConfigError, EncoderConfig, SpectrumConfig, StftConfig};
pub use encoder::{BranchFeatures, ClipFeatures, Encoder, ModelError, normalised};
pub use loss::LossConfig;
pub use observer::{Compactness, EpochEvent, StepEvent, TrainObserver};
pub use source::{ClipSource, Labels, SourceError};
pub use train::{
    BatchNormStatistics, TrainConfig, TrainError, TrainJob, TrainLength, TrainReport, train,
};
