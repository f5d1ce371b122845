//! What is asked of a run.

use std::{num::NonZeroUsize, ops::RangeInclusive, path::PathBuf};

use offkey_core::Year;
use offkey_infer::BranchRegistry;
use offkey_infer::Compute;
use offkey_score::{BackendConfig, BackendRegistry};
use offkey_train::loss::LossRegistry;

use crate::{ModelConfig, OffkeyError, Recipe, run_folder::Existing};

/// Everything asked of a run.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Existing, Recipe, RunRequest, Seeds};
///
/// let recipe = Recipe::load("small", &[])?;
/// let request = RunRequest {
///     seeds: Seeds::Each(0..=4),
///     existing: Existing::Resume,
///     ..RunRequest::new(vec!["dcase".into()], recipe, "runs/small".into())
/// };
/// assert!(request.year.is_none(), "as the names say");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Folders or manifest CSVs.
    pub data: Vec<PathBuf>,
    /// Truth and attribute files that are not beside the recordings.
    pub truth: Vec<PathBuf>,
    /// The recipe.
    pub recipe: Recipe,
    /// The run's folder.
    pub out: PathBuf,
    /// What to do where the folder holds something already.
    pub existing: Existing,
    /// One seed, or several trials.
    pub seeds: Seeds,
    /// Year whose official score counts; none: as the names say.
    pub year: Option<Year>,
    /// Where to compute.
    pub compute: Compute,
    /// Whether to go on without recordings that cannot be used.
    pub skip_bad: bool,
    /// Bound of the memory for decoded recordings.
    pub cache_bytes: u64,
    /// Losses and backends of other crates that the recipe may name.
    pub registries: Registries,
    /// What is written for looking at a training while it runs.
    pub watch: Watch,
}

impl RunRequest {
    /// A request with seed 0, nothing skipped, and nothing but the built-in losses and backends.
    pub fn new(data: Vec<PathBuf>, recipe: Recipe, out: PathBuf) -> Self {
        Self {
            data,
            truth: Vec::new(),
            recipe,
            out,
            existing: Existing::Refuse,
            seeds: Seeds::One(0),
            year: None,
            compute: Compute::default(),
            skip_bad: false,
            cache_bytes: DEFAULT_CACHE_BYTES,
            registries: Registries::default(),
            watch: Watch::default(),
        }
    }
}

/// Losses, backends and branches of other crates, by the names that recipes give them as `custom = "NAME"`.
///
/// ```
/// use offkey::{Registries, backends::BackendRegistry};
///
/// let backends = BackendRegistry::default(); // `with` what is yours, as in the crate's third example
/// let registries = Registries { backends, ..Registries::default() };
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// Losses.
    pub losses: LossRegistry,
    /// Backends.
    pub backends: BackendRegistry,
    /// Branches of the network.
    pub branches: BranchRegistry,
}

impl Registries {
    /// The recipe with its backends and branches from outside looked up, after its loss was found to
    /// exist.
    ///
    /// # Errors
    /// [`OffkeyError::Backend`] or [`OffkeyError::Embed`] for a name that is not registered, or a
    /// branch that cannot take the clips.
    pub(crate) fn resolve(&self, mut recipe: Recipe) -> Result<Recipe, OffkeyError> {
        if let ModelConfig::Network(network) = &mut recipe.model {
            network.loss.needs_classes(&self.losses).map_err(OffkeyError::embed)?;
            let encoder = network.encoder.clone().resolved(&self.branches);
            network.encoder = encoder.map_err(OffkeyError::embed)?;
            network.encoder.validate().map_err(OffkeyError::embed)?;
        }
        let name = match &recipe.backend {
            BackendConfig::Custom(custom) => custom.name().to_owned(),
            other => other.name().to_owned(),
        };
        let unknown =
            |source: offkey_score::ScoreError| OffkeyError::Backend { name, source: source.into() };
        recipe.backend = recipe.backend.resolved(&self.backends).map_err(unknown)?;
        Ok(recipe)
    }
}

/// What is written for looking at a training while it runs. Nothing of it changes the model.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use offkey::Watch;
///
/// let watch = Watch { metrics_epochs: NonZeroUsize::new(5), events: true };
/// assert_ne!(watch, Watch::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    /// Measure the AUC on the test clips after every so many epochs, into `watched.csv`. It is for looking only:
    /// whoever chooses by it has trained on the test set.
    pub metrics_epochs: Option<NonZeroUsize>,
    /// Write `events/`, which `TensorBoard` opens.
    pub events: bool,
}

/// One seed, or several trials.
///
/// ```
/// use offkey::Seeds;
///
/// let five_trials = Seeds::Each(0..=4);
/// assert_ne!(five_trials, Seeds::One(0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// One run, in the folder itself.
    One(u64),
    /// One run a seed, each in a subfolder `seed_<n>`, and their mean and deviation.
    Each(RangeInclusive<u64>),
}

/// Memory for decoded recordings where a caller does not say: 256 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 256 << 20;
