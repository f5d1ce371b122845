//! Embeddings to anomaly scores: backends and thresholds.
//!
//! Start at [`BackendConfig`]: it names every backend. `fit` it on the [`References`] of one
//! machine and section, and the [`Backend`] scores embeddings; larger is more anomalous, always.
//! A [`ThresholdConfig`] turns the references' own held-out scores into a threshold. Nothing here
//! sees audio, features or the truth about a clip.

mod backend;
mod calibration;
mod error;
mod references;

pub use backend::{
    Backend, BackendConfig, CentreConfig, FusionConfig, GmmConfig, KMeansConfig, KnnConfig,
    KnnSmoteConfig, LocalDensityConfig, MahalanobisConfig, Nearest, Warning,
};
pub use calibration::{ThresholdConfig, conformal_p_values, decide};
pub use error::ScoreError;
pub use references::{Distance, References};
