//! The stages of a run. Each reads the files of the one before and writes its own.

mod autoencoder;
mod baselines;
mod cards;
mod covariates;
mod embed;
mod embedded;
mod error;
mod evaluate;
mod map;
pub(crate) mod prepare;
mod recorder;
pub(crate) mod report;
mod score;
mod train;
mod watched;

pub use self::error::ClipsError;
pub use covariates::AgainstColumn;
pub(crate) use embed::{Embedder, Members};
pub use embedded::Embedded;
pub use recorder::CompactnessRow;
pub(crate) use score::{RaisedBy, SectionScorer, write_scores};
pub use score::{SectionThreshold, score_table};
