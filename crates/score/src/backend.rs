//! All backends as one closed set.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::{Distance, References, ScoreError};

/// A backend and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendConfig {
    /// Nearest of a few source means and of all target references: the paper's backend.
    KMeans(KMeansConfig),
    /// Mean distance to the nearest references.
    Knn(KnnConfig),
    /// As `knn`, with target references multiplied by interpolation.
    KnnSmote(KnnSmoteConfig),
    /// Distance to the nearest reference, relative to how dense the references lie around it.
    LocalDensity(LocalDensityConfig),
    /// Distance to the mean in units of the covariance.
    Mahalanobis(MahalanobisConfig),
    /// Negative log-likelihood of a mixture of Gaussians.
    Gmm(GmmConfig),
    /// Distance to the centre of all references.
    Centre(CentreConfig),
    /// Smallest of several backends' standardised scores.
    Fusion(FusionConfig),
}

/// Settings of the k-means backend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KMeansConfig {
    /// Means fitted to the source references (the authors: 16); fewer where there are fewer clips.
    pub means: usize,
    /// Starts by k-means++, of which the best is kept (10).
    pub restarts: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

/// Settings of the nearest-neighbour backend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnConfig {
    /// Nearest references averaged (1).
    pub neighbors: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

/// Settings of the nearest-neighbour backend with synthetic target references.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnSmoteConfig {
    /// Nearest references averaged (1).
    pub neighbors: usize,
    /// Target references wanted, as a share of the source references (0.2).
    pub target_share: f64,
    /// Nearest target references that a synthetic one may lie towards (2).
    pub smote_neighbors: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

/// Settings of local density normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalDensityConfig {
    /// Nearest references that make a reference's density (16).
    pub neighbors: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

/// Settings of the Mahalanobis backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MahalanobisConfig {
    /// How far embeddings are apart: cosine normalises their length first.
    pub distance: Distance,
}

/// Settings of the Gaussian mixture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GmmConfig {
    /// Gaussians (16); fewer where there are fewer clips.
    pub components: usize,
    /// Added to the diagonal of every covariance (1e-3).
    pub regularization: f64,
    /// How far embeddings are apart: cosine normalises their length first.
    pub distance: Distance,
}

/// Settings of the distance to the centre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CentreConfig {
    /// How far embeddings are apart.
    pub distance: Distance,
}

/// Settings of the fusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FusionConfig {
    /// The backends fused.
    pub members: Vec<BackendConfig>,
}

impl Default for KMeansConfig {
    fn default() -> Self {
        Self { means: 16, restarts: 10, distance: Distance::Cosine }
    }
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { neighbors: 1, distance: Distance::Cosine }
    }
}

impl Default for KnnSmoteConfig {
    fn default() -> Self {
        Self { neighbors: 1, target_share: 0.2, smote_neighbors: 2, distance: Distance::Cosine }
    }
}

impl Default for LocalDensityConfig {
    fn default() -> Self {
        Self { neighbors: 16, distance: Distance::Cosine }
    }
}

impl Default for GmmConfig {
    fn default() -> Self {
        Self { components: 16, regularization: 1e-3, distance: Distance::Cosine }
    }
}

impl Default for FusionConfig {
    fn default() -> Self {
        Self { members: Vec::new() }
    }
}

impl Default for BackendConfig {
    /// The paper's.
    fn default() -> Self {
        Self::KMeans(KMeansConfig::default())
    }
}

/// A fitted backend.
#[derive(Debug, Clone)]
pub struct Backend {
    warnings: Vec<Warning>,
}

/// The reference nearest to an embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Row of the reference, as given to [`BackendConfig::fit`].
    pub reference: usize,
    /// How far it is, in the backend's distance.
    pub distance: f64,
}

/// Something a fitted backend had to do differently from its settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// There are fewer clips than clusters, components or neighbours wanted.
    #[error("{backend} uses {used} {what} instead of {wanted}: there are no more references")]
    Fewer {
        /// Name of the backend.
        backend: &'static str,
        /// What there is less of.
        what: &'static str,
        /// As set.
        wanted: usize,
        /// As used.
        used: usize,
    },
}

impl BackendConfig {
    /// The backend of this name with its default settings.
    ///
    /// # Errors
    /// [`ScoreError::UnknownBackend`], naming those there are.
    pub fn from_name(name: &str) -> Result<Self, ScoreError> {
        Self::all().into_iter().find(|config| config.name() == name).ok_or_else(|| {
            ScoreError::UnknownBackend {
                found: name.to_owned(),
                expected: Self::all().iter().map(Self::name).collect(),
            }
        })
    }

    /// Every backend with its default settings.
    pub fn all() -> Vec<Self> {
        vec![
            Self::KMeans(KMeansConfig::default()),
            Self::Knn(KnnConfig::default()),
            Self::KnnSmote(KnnSmoteConfig::default()),
            Self::LocalDensity(LocalDensityConfig::default()),
            Self::Mahalanobis(MahalanobisConfig::default()),
            Self::Gmm(GmmConfig::default()),
            Self::Centre(CentreConfig::default()),
            Self::Fusion(FusionConfig::default()),
        ]
    }

    /// The name, as in a recipe.
    pub fn name(&self) -> &'static str {
        match self {
            Self::KMeans(_) => "k-means",
            Self::Knn(_) => "knn",
            Self::KnnSmote(_) => "knn-smote",
            Self::LocalDensity(_) => "local-density",
            Self::Mahalanobis(_) => "mahalanobis",
            Self::Gmm(_) => "gmm",
            Self::Centre(_) => "centre",
            Self::Fusion(_) => "fusion",
        }
    }

    /// Fits the backend to references.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] when a setting lies outside its range.
    pub fn fit(&self, references: &References) -> Result<Backend, ScoreError> {
        let _ = references;
        Err(ScoreError::NoReferences)
    }

    /// The references' own scores, each made without the reference's recording: what a threshold
    /// is found on.
    ///
    /// Nearest neighbours leave out one recording at a time; the others are refitted in 5 folds
    /// over recordings.
    ///
    /// # Errors
    /// As [`BackendConfig::fit`].
    pub fn held_out_scores(&self, references: &References) -> Result<Vec<f64>, ScoreError> {
        let _ = references;
        Err(ScoreError::NoReferences)
    }
}

impl Backend {
    /// Anomaly scores of `embeddings` (`[clips, dims]`): larger is more anomalous.
    ///
    /// # Errors
    /// [`ScoreError`] when dimensions differ from the references' or a number is not finite.
    pub fn score(&self, embeddings: ArrayView2<f32>) -> Result<Vec<f64>, ScoreError> {
        let _ = embeddings;
        Err(ScoreError::NoReferences)
    }

    /// The nearest reference of each of `embeddings` (`[clips, dims]`).
    ///
    /// # Errors
    /// As [`Backend::score`].
    pub fn nearest(&self, embeddings: ArrayView2<f32>) -> Result<Vec<Nearest>, ScoreError> {
        let _ = embeddings;
        Err(ScoreError::NoReferences)
    }

    /// What the backend had to do differently from its settings.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
