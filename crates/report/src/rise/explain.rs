//! The loop of an explanation: masks out, scores in, until the estimate stands.

use ndarray::{Array1, Axis};
use offkey_core::Seed;

use super::{
    config::{RiseConfig, RiseError, ScoreFailure, check_scores},
    importance::{Importance, Running},
    mask::{Mask, Masks},
};

/// Importance of each frame and bin for the score of one input.
///
/// `score` gets masks over `(frames, bins)`, multiplies the input's magnitudes with each
/// ([`Mask::apply`]), and returns one score per mask; an error from it ends the work.
/// Masks depend on the seed and their index alone.
///
/// # Shapes
/// Result: `[frames, bins]`.
///
/// # Errors
/// [`RiseError`] when the configuration does not fit, or `score` fails.
pub fn explain(
    (frames, bins): (usize, usize),
    config: &RiseConfig,
    seed: Seed,
    mut score: impl FnMut(&[Mask]) -> Result<Vec<f64>, ScoreFailure>,
) -> Result<Importance, RiseError> {
    config.check(frames, bins)?;
    let masks = Masks::new((frames, bins), config, seed);
    let mut running = Running::new((frames, bins), config.keep);
    for index in 0.. {
        let mut group = masks.group(index);
        group.truncate(config.masks - running.masks());
        let mut scores = Vec::with_capacity(group.len());
        for batch in group.chunks(config.batch) {
            let found = score(batch).map_err(|source| RiseError::Score { source })?;
            check_scores(&found, batch.len(), running.masks() + scores.len())?;
            scores.extend(found);
        }
        running.add(&group, &scores);
        let is_settled = config.reliability < 1.0
            && running.groups() > 1
            && running.reliability() >= config.reliability;
        if is_settled || running.masks() == config.masks {
            break;
        }
    }
    Ok(running.finish())
}

/// Importance of each bin of a whole-clip spectrum: [`explain`] without time.
///
/// `score` gets masks over one frame. Of the configuration, `time_cells` is not used.
///
/// # Errors
/// As [`explain`].
pub fn explain_spectrum(
    bins: usize,
    config: &RiseConfig,
    seed: Seed,
    score: impl FnMut(&[Mask]) -> Result<Vec<f64>, ScoreFailure>,
) -> Result<Importance, RiseError> {
    let config = RiseConfig { time_cells: 1, ..config.clone() };
    explain((1, bins), &config, seed, score)
}

impl Importance {
    /// Importance per bin, summed over frames: the explanation of a spectrum as a curve.
    pub fn by_bin(&self) -> Array1<f32> {
        self.values.sum_axis(Axis(0))
    }
}
