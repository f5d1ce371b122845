//! Training: clips and classes in, the model folder that `offkey-infer` loads out.
//!
//! This crate alone knows the tensor framework, and shows none of it: configurations, waveforms
//! and arrays go in, a model folder comes out.

#[cfg(test)]
extern crate self as offkey_train;

mod adam;
pub mod autoencoder;
mod device;
mod engine;
mod events;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(test)]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of the whole crate")]
#[path = "../tests/training/hums.rs"]
mod hums;
mod labels;
pub mod loss;
mod masking;
mod network;
mod observer;
mod placement;
mod progress;
mod self_supervision;
mod tensors;
mod train;

pub use events::EventFile;
pub use labels::Labels;
pub use loss::LossConfig;
pub use masking::MaskingConfig;
pub use observer::{Compactness, EpochEvent, GradientSplit, StepEvent, TrainObserver};
pub use placement::load_encoder;
pub use progress::TrainProgress;
pub use self_supervision::SelfSupervision;
pub use train::{
    BatchNormStatistics, Convergence, CosineSchedule, EarlyStopping, Schedule, TrainConfig,
    TrainError, TrainJob, TrainLength, TrainReport, train,
};
