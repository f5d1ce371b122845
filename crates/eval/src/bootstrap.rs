//! Bootstrap intervals that resample recordings.

use offkey_core::Seed;
use serde::{Deserialize, Serialize};

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// Resamples drawn. 1,000 settle the ends of a 95 % interval to about a tenth of its length.
    pub resamples: usize,
    /// Coverage of the interval, 0.95 by custom.
    pub coverage: f64,
    /// Seed of the draws.
    pub seed: Seed,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self { resamples: 1000, coverage: 0.95, seed: Seed::new(0) }
    }
}

/// A two-sided percentile interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}
