//! Embeddings to anomaly scores: backends and thresholds.
//!
//! Start at [`BackendConfig`]: it names every backend. `fit` it on the [`References`] of one
//! machine and section, and the [`Backend`] scores embeddings; larger is more anomalous, always.
//! A [`ThresholdConfig`] turns the references' own held-out scores into a threshold. Nothing here
//! sees audio, features or the truth about a clip.

mod backend;
mod calibration;
mod check;
mod clustering;
mod detector;
mod error;
mod fusion;
mod gamma;
mod guarantee;
mod linalg;
mod neighbors;
mod normals;
mod partition;
mod references;
mod scale;
mod scales;
mod scorer;
mod shrunk;
mod space;

pub use backend::*;
pub use calibration::{ThresholdConfig, conformal_p_values, decide};
pub use clustering::cluster;
pub use detector::{Detector, Judgement};
pub use error::ScoreError;
pub use fusion::{Fusion, Member, MemberScore, Raised, Rule};
pub use guarantee::{Guarantee, PValue, jackknife_plus_bound};
pub use partition::MOST_COMPARED;
pub use references::{Distance, References};
pub use scale::Scale;
pub use scales::Scales;
pub use scorer::Scorer;
