//! All backends as one closed set.

mod centre;
mod column;
mod domain_norm;
mod fusion;
mod gmm;
mod k_means;
mod knn;
mod knn_smote;
mod local_density;
mod mahalanobis;
mod prototypes;
mod standard;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

pub use self::{
    centre::CentreConfig,
    column::ColumnConfig,
    domain_norm::{DomainNormConfig, FittedTo},
    fusion::FusionConfig,
    gmm::GmmConfig,
    k_means::KMeansConfig,
    knn::KnnConfig,
    knn_smote::KnnSmoteConfig,
    local_density::{DensityNorm, LocalDensityConfig},
    mahalanobis::{CovarianceOf, MahalanobisConfig},
};
use crate::{
    Distance, References, ScoreError, neighbors::smallest, normals::Normals,
    references::check_finite, space::Space,
};

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
    /// Distance to the mean of the nearest domain in units of the covariance.
    Mahalanobis(MahalanobisConfig),
    /// Negative log-likelihood of a mixture of Gaussians.
    Gmm(GmmConfig),
    /// Distance to the centre of all references.
    Centre(CentreConfig),
    /// Another backend's score, standardised by the normals of the domain a clip seems to be of.
    DomainNorm(DomainNormConfig),
    /// Smallest of several backends' standardised scores.
    Fusion(FusionConfig),
    /// A score that the embedding holds already.
    Column(ColumnConfig),
}

impl Default for BackendConfig {
    /// The paper's.
    fn default() -> Self {
        Self::KMeans(KMeansConfig::default())
    }
}

/// A backend fitted to the references of one machine and section.
#[derive(Debug, Clone)]
pub struct Backend {
    space: Space,
    /// References in the backend's space, canonical order.
    references: Array2<f32>,
    /// Where each of them stood in the references as given.
    origin: Vec<usize>,
    scorer: Scorer,
    warnings: Vec<Warning>,
}

/// What remains of a backend once fitted.
#[derive(Debug, Clone)]
enum Scorer {
    Prototypes(prototypes::Prototypes),
    LocalDensity(local_density::LocalDensity),
    Gaussians(mahalanobis::Gaussians),
    Mixture(gmm::Mixture),
    DomainNorm(domain_norm::DomainNorm),
    Fusion(fusion::Fusion),
    Column(ColumnConfig),
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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

/// References mapped into a backend's space: what a backend is fitted to.
struct Fitting<'a> {
    normals: &'a Normals,
    space: &'a Space,
    points: ArrayView2<'a, f32>,
    warnings: Vec<Warning>,
}

impl Fitting<'_> {
    /// As many as wanted, or as there are: then with a warning.
    fn at_most(
        &mut self,
        backend: &'static str,
        what: &'static str,
        wanted: usize,
        available: usize,
    ) -> usize {
        if wanted > available {
            self.warnings.push(Warning::Fewer { backend, what, wanted, used: available });
        }
        wanted.min(available)
    }
}

impl BackendConfig {
    /// The backend of this name with its default settings.
    ///
    /// # Errors
    /// [`ScoreError::UnknownBackend`], naming those there are.
    pub fn from_name(name: &str) -> Result<Self, ScoreError> {
        let all = Self::all();
        let expected = all.iter().map(Self::name).collect();
        all.into_iter()
            .find(|config| config.name() == name)
            .ok_or_else(|| ScoreError::UnknownBackend { found: name.to_owned(), expected })
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
            Self::DomainNorm(DomainNormConfig::default()),
            Self::Fusion(FusionConfig::default()),
            Self::Column(ColumnConfig::default()),
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
            Self::DomainNorm(_) => "domain-norm",
            Self::Fusion(_) => "fusion",
            Self::Column(_) => "column",
        }
    }

    /// The same backend with every distance in it replaced; `column` has none.
    #[must_use]
    pub fn with_distance(mut self, distance: Distance) -> Self {
        match &mut self {
            Self::KMeans(config) => config.distance = distance,
            Self::Knn(config) => config.distance = distance,
            Self::KnnSmote(config) => config.distance = distance,
            Self::LocalDensity(config) => config.distance = distance,
            Self::Mahalanobis(config) => config.distance = distance,
            Self::Gmm(config) => config.distance = distance,
            Self::Centre(config) => config.distance = distance,
            Self::DomainNorm(config) => {
                config.distance = distance;
                *config.of = (*config.of).clone().with_distance(distance);
            }
            Self::Fusion(config) => {
                config.distance = distance;
                let members = std::mem::take(&mut config.members);
                config.members =
                    members.into_iter().map(|member| member.with_distance(distance)).collect();
            }
            Self::Column(_) => {}
        }
        self
    }

    /// Fits the backend to references. The order of the references changes nothing.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] when a setting lies outside its range.
    pub fn fit(&self, references: &References) -> Result<Backend, ScoreError> {
        self.check(references.embeddings().ncols())?;
        Ok(self.fit_normals(&Normals::new(references)))
    }

    /// The references' own scores, each made without the reference's recording, in the order of
    /// the references: what a threshold is found on.
    ///
    /// Nearest neighbours in cosine or Euclidean distance leave out one recording at a time;
    /// everything else is refitted in 5 folds over recordings. Where all references are of one
    /// recording, clips take the recordings' place; a single clip is scored against itself.
    ///
    /// # Errors
    /// As [`BackendConfig::fit`].
    pub fn held_out_scores(&self, references: &References) -> Result<Vec<f64>, ScoreError> {
        self.check(references.embeddings().ncols())?;
        let normals = Normals::new(references);
        let mut scores = vec![0.0; normals.clips()];
        for (score, &row) in self.held_out_normals(&normals).into_iter().zip(&normals.origin) {
            scores[row] = score;
        }
        Ok(scores)
    }

    /// Held-out scores in canonical order.
    fn held_out_normals(&self, normals: &Normals) -> Vec<f64> {
        if let Self::Knn(config) = self
            && let Some(scores) = config.leave_one_out(normals)
        {
            return scores;
        }
        let mut scores = vec![0.0; normals.clips()];
        for (kept, out) in normals.folds() {
            let held_out = normals.embeddings.select(ndarray::Axis(0), &out);
            let fold_scores = self.fit_normals(&kept).score_unchecked(held_out.view());
            for (row, score) in out.into_iter().zip(fold_scores) {
                scores[row] = score;
            }
        }
        scores
    }

    fn fit_normals(&self, normals: &Normals) -> Backend {
        let space = Space::fit(self.distance(), normals);
        let references = space.map(normals.embeddings.view());
        let mut fitting =
            Fitting { normals, space: &space, points: references.view(), warnings: Vec::new() };
        let scorer = match self {
            Self::KMeans(config) => Scorer::Prototypes(config.fit(&mut fitting)),
            Self::Knn(config) => Scorer::Prototypes(config.fit(&mut fitting)),
            Self::KnnSmote(config) => Scorer::Prototypes(config.fit(&mut fitting)),
            Self::LocalDensity(config) => Scorer::LocalDensity(config.fit(&mut fitting)),
            Self::Mahalanobis(config) => Scorer::Gaussians(config.fit(&fitting)),
            Self::Gmm(config) => Scorer::Mixture(config.fit(&mut fitting)),
            Self::Centre(_) => Scorer::Prototypes(centre::fit(&fitting)),
            Self::DomainNorm(config) => Scorer::DomainNorm(config.fit(&mut fitting)),
            Self::Fusion(config) => Scorer::Fusion(config.fit(&mut fitting)),
            Self::Column(config) => Scorer::Column(*config),
        };
        let warnings = fitting.warnings;
        Backend { space, references, origin: normals.origin.clone(), scorer, warnings }
    }

    fn distance(&self) -> Distance {
        match self {
            Self::KMeans(config) => config.distance,
            Self::Knn(config) => config.distance,
            Self::KnnSmote(config) => config.distance,
            Self::LocalDensity(config) => config.distance,
            Self::Mahalanobis(config) => config.distance,
            Self::Gmm(config) => config.distance,
            Self::Centre(config) => config.distance,
            Self::DomainNorm(config) => config.distance,
            Self::Fusion(config) => config.distance,
            Self::Column(_) => Distance::Euclidean,
        }
    }

    /// Refuses settings outside their range, for embeddings of `dims` numbers.
    fn check(&self, dims: usize) -> Result<(), ScoreError> {
        match self {
            Self::KMeans(config) => {
                at_least_one("means", config.means)?;
                at_least_one("restarts", config.restarts)
            }
            Self::Knn(config) => at_least_one("neighbors", config.neighbors),
            Self::KnnSmote(config) => config.check(),
            Self::LocalDensity(config) => at_least_one("neighbors", config.neighbors),
            Self::Mahalanobis(_) | Self::Centre(_) => Ok(()),
            Self::Gmm(config) => config.check(),
            Self::DomainNorm(config) => config.of.check(dims),
            Self::Fusion(config) => {
                at_least_one("members", config.members.len())?;
                config.members.iter().try_for_each(|member| member.check(dims))
            }
            Self::Column(config) => config.check(dims),
        }
    }
}

fn at_least_one(setting: &'static str, found: usize) -> Result<(), ScoreError> {
    if found == 0 {
        return Err(ScoreError::Setting { setting, found: 0.0, expected: "at least 1" });
    }
    Ok(())
}

impl Backend {
    /// Anomaly scores of `embeddings` (`[clips, dims]`): larger is more anomalous. A clip's score
    /// does not depend on the clips scored with it.
    ///
    /// # Errors
    /// [`ScoreError`] when dimensions differ from the references' or a number is not finite.
    pub fn score(&self, embeddings: ArrayView2<f32>) -> Result<Vec<f64>, ScoreError> {
        self.check(embeddings)?;
        Ok(self.score_unchecked(embeddings))
    }

    fn score_unchecked(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = || self.space.map(embeddings);
        match &self.scorer {
            Scorer::Prototypes(prototypes) => prototypes.score(points().view(), &self.space),
            Scorer::LocalDensity(density) => {
                density.score(points().view(), self.references.view(), &self.space)
            }
            Scorer::Gaussians(gaussians) => gaussians.score(points().view()),
            Scorer::Mixture(mixture) => mixture.score(points().view()),
            Scorer::DomainNorm(norm) => {
                let nearest = self.nearest_rows(points().view());
                norm.score(embeddings, &nearest)
            }
            Scorer::Fusion(fusion) => fusion.score(embeddings),
            Scorer::Column(column) => column.score(embeddings),
        }
    }

    /// The nearest reference of each of `embeddings` (`[clips, dims]`), whatever the backend
    /// scores by.
    ///
    /// # Errors
    /// As [`Backend::score`].
    pub fn nearest(&self, embeddings: ArrayView2<f32>) -> Result<Vec<Nearest>, ScoreError> {
        self.check(embeddings)?;
        let points = self.space.map(embeddings);
        let found = smallest(points.view(), self.references.view(), 1, |_, _, squared| squared);
        let nearest = |near: Vec<crate::neighbors::Neighbor>| Nearest {
            reference: self.origin[near[0].reference],
            distance: self.space.distance(near[0].squared),
        };
        Ok(found.into_iter().map(nearest).collect())
    }

    /// What the backend had to do differently from its settings.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Canonical rows of the nearest references.
    fn nearest_rows(&self, points: ArrayView2<f32>) -> Vec<usize> {
        let found = smallest(points, self.references.view(), 1, |_, _, squared| squared);
        found.into_iter().map(|near| near[0].reference).collect()
    }

    fn check(&self, embeddings: ArrayView2<f32>) -> Result<(), ScoreError> {
        let (found, expected) = (embeddings.ncols(), self.references.ncols());
        if found != expected {
            return Err(ScoreError::Dimensions { found, expected });
        }
        check_finite(embeddings)
    }
}
