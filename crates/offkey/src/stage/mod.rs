//! The stages of a run. Each reads the files of the one before and writes its own.

mod autoencoder;
mod baselines;
mod cards;
mod covariates;
mod embed;
mod error;
mod evaluate;
mod map;
pub(crate) mod prepare;
pub(crate) mod report;
mod score;
mod train;

pub use self::error::ClipsError;
pub use covariates::AgainstColumn;
pub(crate) use embed::Embedder;
pub(crate) use score::{SectionScorer, write_scores};
pub use score::{SectionThreshold, score_table};
pub use train::CompactnessRow;
pub(crate) use train::TrainProgress;
