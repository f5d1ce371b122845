//! Several backends as one.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{
    Backend, BackendConfig, Fitting, KMeansConfig, KnnConfig, LocalDensityConfig,
    MahalanobisConfig, standard::Standard,
};
use crate::Distance;

/// Smallest of several backends' scores, each standardised by its own held-out scores of the
/// references: a clip is normal if any backend finds it so. No label chooses among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FusionConfig {
    /// The backends fused.
    pub members: Vec<BackendConfig>,
    /// How far embeddings are apart when the nearest reference is looked for.
    pub distance: Distance,
}

impl Default for FusionConfig {
    /// One of each kind: means, neighbours, density and covariance.
    fn default() -> Self {
        let members = vec![
            BackendConfig::KMeans(KMeansConfig::default()),
            BackendConfig::Knn(KnnConfig::default()),
            BackendConfig::LocalDensity(LocalDensityConfig::default()),
            BackendConfig::Mahalanobis(MahalanobisConfig::default()),
        ];
        Self { members, distance: Distance::Cosine }
    }
}

/// Fitted members, each with the standard of its scores.
#[derive(Debug, Clone)]
pub(crate) struct Fusion(Vec<(Backend, Standard)>);

impl FusionConfig {
    pub(super) fn fit(&self, fitting: &mut Fitting) -> Fusion {
        let mut members = Vec::new();
        for member in &self.members {
            let backend = member.fit_normals(fitting.normals);
            fitting.warnings.extend_from_slice(backend.warnings());
            let standard = Standard::of(&member.held_out_normals(fitting.normals));
            members.push((backend, standard));
        }
        Fusion(members)
    }
}

impl Fusion {
    pub(crate) fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let mut lowest = vec![f64::INFINITY; embeddings.nrows()];
        for (backend, standard) in &self.0 {
            let scores = backend.score_unchecked(embeddings);
            for (lowest, score) in lowest.iter_mut().zip(scores) {
                *lowest = lowest.min(standard.apply(score));
            }
        }
        lowest
    }
}
