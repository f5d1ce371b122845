//! Embeddings to anomaly scores: backends and thresholds.
//!
//! Start at [`BackendConfig`]: it names every backend. `fit` it on the [`References`] of one
//! machine and section, and the [`Backend`] scores embeddings; larger is more anomalous, always.
//! A [`ThresholdConfig`] turns the references' own held-out scores into a threshold. Nothing here
//! sees audio, features or the truth about a clip.

mod backend;
mod calibration;
mod clustering;
mod error;
mod gamma;
mod linalg;
mod neighbors;
mod normals;
mod references;
mod space;

pub use backend::{
    Backend, BackendConfig, CentreConfig, ColumnConfig, CovarianceOf, DensityNorm,
    DomainNormConfig, FittedTo, FusionConfig, GmmConfig, KMeansConfig, KnnConfig, KnnSmoteConfig,
    LocalDensityConfig, MahalanobisConfig, Nearest, Warning,
};
pub use calibration::{ThresholdConfig, conformal_p_values, decide};
pub use clustering::cluster;
pub use error::ScoreError;
pub use references::{Distance, References};
