//! What makes scores and decisions of embeddings.

use offkey_score::{BackendConfig, ThresholdConfig};

use crate::fusion::{PooledFusion, spoken};

/// What makes scores and decisions of embeddings.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_recipe::Recipe;
///
/// let recipe = Recipe::load("default", &[])?;
/// let scoring = recipe.scoring();
/// assert_eq!(scoring.backend.name(), "knn");
/// assert!(scoring.fusion.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Scoring<'a> {
    /// What compares the model's embeddings with those of normal clips.
    pub backend: &'a BackendConfig,
    /// Pooled spectra beside the model, where there are any.
    pub fusion: Option<&'a PooledFusion>,
    /// What turns scores into decisions.
    pub threshold: &'a ThresholdConfig,
}

impl Scoring<'_> {
    /// Names of the members and what compares them, the model first.
    pub fn members(&self) -> impl Iterator<Item = (&str, BackendConfig)> {
        let spectra = self.fusion.into_iter().flat_map(|fusion| &fusion.members);
        let spectra = spectra.map(|&pooling| (spoken(pooling), PooledFusion::backend()));
        std::iter::once((MODEL, self.backend.clone())).chain(spectra)
    }
}

/// What the model is called among the members of a detector.
const MODEL: &str = "the model";
