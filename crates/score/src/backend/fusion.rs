//! Several backends as one.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::{
    BackendConfig, BackendKind, BackendRegistry, FittedBackend, Fitting, KMeansConfig, KnnConfig,
    LocalDensityConfig, MahalanobisConfig, standard::Standard,
};
use crate::{Distance, ScoreError, check::within};

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
#[derive(Debug)]
struct Smallest(Vec<(Box<dyn FittedBackend>, Standard)>);

/// Backends in one fusion at most.
const MOST_MEMBERS: usize = 16;

impl BackendKind for FusionConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let mut members = Vec::new();
        for member in &self.members {
            let backend = member.fit_within(fitting, fitting.normals)?;
            let standard = Standard::of(&member.held_out_normals(fitting.normals)?);
            members.push((backend, standard));
        }
        Ok(Box::new(Smallest(members)))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
        self.members.iter_mut().for_each(|member| member.kind_mut().set_distance(distance));
    }

    fn check(&self) -> Result<(), ScoreError> {
        let members = self.members.len() as f64;
        within("members", members, 1.0..=MOST_MEMBERS as f64, "between 1 and 16")?;
        self.members.iter().try_for_each(BackendConfig::check)
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        self.members.iter().try_for_each(|member| member.kind().check_dims(dims))
    }

    fn is_signed(&self) -> bool {
        true
    }

    fn nesting(&self) -> usize {
        1 + self.members.iter().map(|member| member.kind().nesting()).max().unwrap_or(0)
    }

    fn resolve(&mut self, registry: &BackendRegistry) -> Result<(), ScoreError> {
        self.members.iter_mut().try_for_each(|member| member.kind_mut().resolve(registry))
    }
}

impl FittedBackend for Smallest {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let mut lowest = vec![f64::INFINITY; embeddings.nrows()];
        for (backend, standard) in &self.0 {
            for (lowest, score) in lowest.iter_mut().zip(backend.score(embeddings)) {
                *lowest = lowest.min(standard.apply(score));
            }
        }
        lowest
    }
}
