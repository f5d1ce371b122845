//! Ranges of settings.

use std::ops::RangeInclusive;

use crate::ScoreError;

/// Neighbours, means or restarts at most: far more than any set has use for, and few enough to
/// be counted out in memory.
pub(crate) const MOST: usize = 10_000;

/// Refuses a count of zero, or of more than [`MOST`].
pub(crate) fn count(setting: &'static str, found: usize) -> Result<(), ScoreError> {
    within(setting, found as f64, 1.0..=MOST as f64, "between 1 and 10,000")
}

/// Refuses a number outside its range; one that is not a number lies in none.
pub(crate) fn within(
    setting: &'static str,
    found: f64,
    range: RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), ScoreError> {
    if range.contains(&found) {
        return Ok(());
    }
    Err(ScoreError::Setting { setting, found, expected })
}
