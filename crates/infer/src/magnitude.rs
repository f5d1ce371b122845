//! How a branch takes magnitudes.

use serde::{Deserialize, Serialize};

/// Magnitude below which the logarithm does not tell bins apart: digital silence has one.
pub const QUIETEST: f32 = 1e-4;

/// How a branch takes magnitudes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Magnitude {
    /// As they are, as in the paper.
    #[default]
    Linear,
    /// Natural logarithm of the magnitude, at least 1e-4: quiet bins count as much as
    /// loud ones.
    Log,
}

impl Magnitude {
    /// Brings magnitudes to this form.
    pub(crate) fn apply(self, values: &mut [f32]) {
        if self == Self::Log {
            for value in values.iter_mut() {
                *value = value.max(QUIETEST).ln();
            }
        }
    }
}
