//! Backends: one list of ours, open to others by name.
//!
//! A backend is a file in `backend/`, a [`BackendKind`], and one line of the list below.

mod bands;
mod centre;
mod column;
mod custom;
mod domain_norm;
mod fitted;
mod fitting;
mod fusion;
mod gmm;
mod k_means;
mod kind;
mod knn;
mod knn_smote;
mod known_faults;
mod local_density;
mod mahalanobis;
mod prototypes;
mod shrunk_mahalanobis;
mod standard;
mod sub_band;
mod var_min;

use serde::{Deserialize, Serialize};

pub use self::{
    centre::CentreConfig,
    column::ColumnConfig,
    custom::CustomBackend,
    domain_norm::{DomainNormConfig, FittedTo},
    fitted::{Backend, Nearest},
    fitting::{Fitting, Warning},
    fusion::FusionConfig,
    gmm::GmmConfig,
    k_means::KMeansConfig,
    kind::{BackendKind, BackendRegistry, FittedBackend},
    knn::KnnConfig,
    knn_smote::KnnSmoteConfig,
    known_faults::{KnownFaultsConfig, MOST_FAULTS},
    local_density::{DensityNorm, LocalDensityConfig},
    mahalanobis::{CovarianceOf, MahalanobisConfig},
    shrunk_mahalanobis::ShrunkMahalanobisConfig,
    sub_band::SubBandConfig,
    var_min::VarMinConfig,
};
use crate::{Distance, ScoreError};

/// Writes the enum of recipes and what follows from the list alone.
macro_rules! backends {
    ($($(#[$doc:meta])* $variant:ident($config:ident) = $name:literal,)*) => {
        /// A backend and its settings, as recipes name it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum BackendConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
            /// A backend of another crate, by its name in a [`BackendRegistry`].
            #[serde(rename = "custom")]
            Custom(CustomBackend),
        }

        impl BackendConfig {
            /// Every backend of ours with its default settings.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$variant($config::default()),)*]
            }

            /// The name, as in a recipe; `custom` for those of other crates.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Custom(_) => "custom",
                }
            }

            pub(crate) fn kind(&self) -> &dyn BackendKind {
                match self {
                    $(Self::$variant(config) => config,)*
                    Self::Custom(custom) => custom,
                }
            }

            fn kind_mut(&mut self) -> &mut dyn BackendKind {
                match self {
                    $(Self::$variant(config) => config,)*
                    Self::Custom(custom) => custom,
                }
            }
        }
    };
}

backends! {
    /// Nearest of a few source means and of all target references: the paper's backend.
    KMeans(KMeansConfig) = "k-means",
    /// Mean distance to the nearest references.
    Knn(KnnConfig) = "knn",
    /// As `knn`, with target references multiplied by interpolation.
    KnnSmote(KnnSmoteConfig) = "knn-smote",
    /// Distance to the nearest reference, relative to how dense the references lie around it.
    LocalDensity(LocalDensityConfig) = "local-density",
    /// Mean over frequency bands of the distance to the nearest reference of each band.
    SubBand(SubBandConfig) = "sub-band",
    /// Distance to the nearest reference, less what the references' own distances suggest.
    VarMin(VarMinConfig) = "var-min",
    /// Distance to the mean of the nearest domain in units of the covariance.
    Mahalanobis(MahalanobisConfig) = "mahalanobis",
    /// Distance to the mean in units of a shrunk covariance, for few references in decibels.
    ShrunkMahalanobis(ShrunkMahalanobisConfig) = "shrunk-mahalanobis",
    /// Distance to the nearest reference relative to that to the nearest known fault.
    KnownFaults(KnownFaultsConfig) = "known-faults",
    /// Negative log-likelihood of a mixture of Gaussians.
    Gmm(GmmConfig) = "gmm",
    /// Distance to the centre of all references.
    Centre(CentreConfig) = "centre",
    /// Another backend's score, standardised by the normals of the domain a clip seems to be of.
    DomainNorm(DomainNormConfig) = "domain-norm",
    /// Smallest of several backends' standardised scores.
    Fusion(FusionConfig) = "fusion",
    /// A score that the embedding holds already.
    Column(ColumnConfig) = "column",
}

/// Levels of backends inside one another at most: each level fits all below once per fold.
const MOST_NESTING: usize = 2;

impl Default for BackendConfig {
    /// The paper's.
    fn default() -> Self {
        Self::KMeans(KMeansConfig::default())
    }
}

impl BackendConfig {
    /// The backend of this name with its default settings.
    ///
    /// # Errors
    /// [`ScoreError::UnknownBackend`], naming those there are.
    pub fn from_name(name: &str) -> Result<Self, ScoreError> {
        let all = Self::all();
        let expected = all.iter().map(|config| config.name().to_owned()).collect();
        all.into_iter()
            .find(|config| config.name() == name)
            .ok_or_else(|| ScoreError::UnknownBackend { found: name.to_owned(), expected })
    }

    /// The same backend with every distance in it replaced, where it has one.
    #[must_use]
    pub fn with_distance(mut self, distance: Distance) -> Self {
        self.kind_mut().set_distance(distance);
        self
    }

    /// The same backend with its custom backends looked up.
    ///
    /// # Errors
    /// [`ScoreError::UnknownBackend`] when one is not in the registry.
    pub fn resolved(mut self, registry: &BackendRegistry) -> Result<Self, ScoreError> {
        self.kind_mut().resolve(registry)?;
        Ok(self)
    }

    /// Refuses settings outside their range; needs no data.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] naming the setting, [`ScoreError::UnknownBackend`] for a custom
    /// backend that has not been looked up.
    pub fn check(&self) -> Result<(), ScoreError> {
        let nesting = self.kind().nesting();
        if nesting > MOST_NESTING {
            let (setting, found) = ("backends inside one another", nesting as f64);
            return Err(ScoreError::Setting { setting, found, expected: "at most 2 levels" });
        }
        self.kind().check()
    }

    /// How far embeddings are apart.
    pub fn distance(&self) -> Distance {
        self.kind().distance()
    }

    /// Whether scores of normal clips can be zero or negative.
    pub fn is_signed(&self) -> bool {
        self.kind().is_signed()
    }
}
