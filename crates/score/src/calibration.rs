//! From scores to decisions and to calibrated probabilities, without any anomaly.

use offkey_core::stats::Sorted;
use serde::{Deserialize, Serialize};

use crate::{ScoreError, gamma::Gamma, references::check_scores};

/// How a threshold is found on held-out scores of normal clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ThresholdConfig {
    /// A percentile of the scores themselves, linear between neighbours.
    Percentile {
        /// Share of normal scores at or below the threshold, 0-1.
        q: f64,
    },
    /// A quantile of a gamma distribution fitted by maximum likelihood over shape, scale and
    /// location, as the challenge's baseline does. Scores that do not vary are the threshold.
    Gamma {
        /// Share of the fitted distribution below the threshold, in (0, 1).
        quantile: f64,
    },
    /// The score that normal recordings withheld from training exceed at most so often: the
    /// `(n + 1) (1 - false_alarms)`-th smallest of `n` withheld scores, or the largest where there
    /// are too few. It holds for models whose training makes the references look too normal.
    HeldOut {
        /// Share of normal clips above the threshold, in (0, 1).
        false_alarms: f64,
    },
}

impl Default for ThresholdConfig {
    /// The 90th percentile: the challenge baseline's share.
    fn default() -> Self {
        Self::Percentile { q: 0.9 }
    }
}

impl ThresholdConfig {
    /// The threshold that held-out scores of normal clips suggest.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] when the share lies outside its range, [`ScoreError::Scores`] when
    /// there is no score or one is not finite.
    pub fn fit(&self, held_out_scores: &[f64]) -> Result<f64, ScoreError> {
        let finite = held_out_scores.iter().filter(|score| score.is_finite()).count();
        let scores = held_out_scores.len();
        if finite < scores || scores == 0 {
            return Err(ScoreError::Scores { found: finite, scores });
        }
        self.check()?;
        Ok(match *self {
            Self::Percentile { q } => {
                Sorted::new(held_out_scores.iter().copied()).quantile(q).expect("there is a score")
            }
            Self::Gamma { quantile } => Gamma::fit(held_out_scores)
                .map_or(held_out_scores[0], |gamma| gamma.quantile(quantile)),
            Self::HeldOut { false_alarms } => {
                let sorted = Sorted::new(held_out_scores.iter().copied());
                let rank = ((scores + 1) as f64 * (1.0 - false_alarms)).ceil() as usize;
                sorted.values()[rank.clamp(1, scores) - 1]
            }
        })
    }

    /// Refuses settings outside their range; needs no data.
    ///
    /// # Errors
    /// [`ScoreError::Setting`] naming the setting.
    pub fn check(&self) -> Result<(), ScoreError> {
        match *self {
            Self::Percentile { q } => check_share("q", q, (0.0..=1.0).contains(&q)),
            Self::Gamma { quantile } => {
                check_share("quantile", quantile, quantile > 0.0 && quantile < 1.0)
            }
            Self::HeldOut { false_alarms } => {
                let fits = false_alarms > 0.0 && false_alarms < 1.0;
                check_share("false_alarms", false_alarms, fits)
            }
        }
    }

    /// Whether the threshold is found on recordings withheld from training, and not on references.
    pub fn needs_withheld(&self) -> bool {
        matches!(self, Self::HeldOut { .. })
    }
}

fn check_share(setting: &'static str, found: f64, fits: bool) -> Result<(), ScoreError> {
    if fits {
        return Ok(());
    }
    Err(ScoreError::Setting { setting, found, expected: "a share between 0 and 1" })
}

/// Whether each score lies above the threshold.
pub fn decide(scores: &[f64], threshold: f64) -> Vec<bool> {
    scores.iter().map(|&score| score > threshold).collect()
}

/// Conformal p-values: the probability that a normal clip would look at least this bad, valid for
/// any distribution if the clip is exchangeable with the calibration clips.
///
/// `p = (1 + number of calibration scores >= score) / (calibration scores + 1)`, so the smallest
/// is `1 / (calibration scores + 1)`.
///
/// # Errors
/// [`ScoreError::Scores`] when a score is not finite.
pub fn conformal_p_values(
    calibration_scores: &[f64],
    scores: &[f64],
) -> Result<Vec<f64>, ScoreError> {
    let sorted = Sorted::new(check_scores(calibration_scores.to_vec())?);
    let sorted = sorted.values();
    let p_value = |&score: &f64| {
        let below = sorted.partition_point(|&calibration| calibration < score);
        (1 + sorted.len() - below) as f64 / (1 + sorted.len()) as f64
    };
    Ok(check_scores(scores.to_vec())?.iter().map(p_value).collect())
}
