//! What is asked of a run.

use std::{ops::RangeInclusive, path::PathBuf};

use offkey_core::Year;
use offkey_infer::Compute;

use crate::{Recipe, run_folder::Existing};

/// Everything asked of a run.
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
}

/// One seed, or several trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// One run, in the folder itself.
    One(u64),
    /// One run a seed, each in a subfolder `seed_<n>`, and their mean and deviation.
    Each(RangeInclusive<u64>),
}

/// Memory for decoded recordings where a caller does not say: 256 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 256 << 20;
