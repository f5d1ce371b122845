//! Training: clips and classes in, the model folder that `offkey-infer` loads out.
//!
//! This crate alone knows the tensor framework, and shows none of it: configurations, waveforms
//! and arrays go in, a model folder comes out.

mod adam;
pub mod autoencoder;
mod device;
mod engine;
#[cfg(feature = "gpu")]
mod gpu;
mod labels;
pub mod loss;
mod masking;
mod network;
mod observer;
mod self_supervision;
mod tensors;
mod train;

pub use device::{encoder_from_parts, load_encoder};
pub use labels::Labels;
pub use loss::LossConfig;
pub use masking::MaskingConfig;
pub use observer::{Compactness, EpochEvent, StepEvent, TrainObserver};
pub use self_supervision::SelfSupervision;
pub use train::{
    BatchNormStatistics, CosineSchedule, EarlyStopping, Schedule, TrainConfig, TrainError,
    TrainJob, TrainLength, TrainReport, train,
};
