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
    /// A conformal quantile of recordings that neither the model nor the references contain: a share
    /// of the normal recordings is withheld for it.
    ///
    /// With `n` withheld scores the threshold is the `k`-th smallest, `k = ceil((n + 1) (1 - false_alarms))`
    /// and at most `n`. A new normal recording that is exchangeable with the withheld ones scores above it with a
    /// probability of at most `(n + 1 - k) / (n + 1)`: see [`ThresholdConfig::expected_false_alarms`].
    ///
    /// # Source
    /// Split conformal prediction: Papadopoulos et al., "Inductive Confidence Machines for Regression", 2002. The
    /// shares are our choice; 0.1 of false alarms is that of the challenge's baseline.
    HeldOut {
        /// Share of new normal recordings that may alarm, in (0, 1).
        #[serde(default = "tenth")]
        false_alarms: f64,
        /// Share of the normal recordings of each section that is withheld, 0-0.5; more where
        /// `false_alarms` needs more and a quarter is enough for it.
        #[serde(default = "tenth")]
        share: f64,
    },
}

fn tenth() -> f64 {
    0.1
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
            Self::HeldOut { false_alarms, .. } => {
                let place = conformal_place(scores, false_alarms);
                Sorted::new(held_out_scores.iter().copied()).values()[place - 1]
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
            Self::HeldOut { false_alarms, share } => {
                let fits = false_alarms > 0.0 && false_alarms < 1.0;
                check_share("false_alarms", false_alarms, fits)?;
                check_share("share", share, (0.0..=0.5).contains(&share))
            }
        }
    }

    /// How many of a section's recordings are withheld from training and from the references: none
    /// but for [`ThresholdConfig::HeldOut`], and none of fewer than four.
    ///
    /// `share` of them, and at least as many as `false_alarms` can be stated with (9 for 0.1) where a quarter is
    /// enough for that. Of fewer recordings no more are given up for a rate that cannot be stated anyway: those that
    /// are withheld are missing in training.
    pub fn withheld(&self, recordings: usize) -> usize {
        let Self::HeldOut { false_alarms, share } = *self else { return 0 };
        let needed = (1.0 / false_alarms).ceil() as usize - 1;
        let wanted = (share * recordings as f64).ceil() as usize;
        let most = recordings / 4;
        if needed <= most { wanted.max(needed).min(most) } else { wanted.min(most) }
    }

    /// The share of new normal recordings expected to score above the threshold, where so many
    /// withheld scores found it and the new ones are exchangeable with them; none for thresholds found on
    /// the references, which say nothing of recordings that the model was not trained on.
    pub fn expected_false_alarms(&self, withheld_scores: usize) -> Option<f64> {
        let Self::HeldOut { false_alarms, .. } = *self else { return None };
        if withheld_scores == 0 {
            return None;
        }
        let place = conformal_place(withheld_scores, false_alarms);
        let scores = withheld_scores as f64 + 1.0;
        Some((scores - place as f64) / scores)
    }
}

/// Which of so many sorted scores, counted from 1, a new one exceeds with this probability at most; the
/// last where there are too few.
fn conformal_place(scores: usize, false_alarms: f64) -> usize {
    // Rounding must not push a whole number over the next one.
    let place = (scores as f64 + 1.0) * (1.0 - false_alarms) - 1e-9;
    (place.ceil().max(1.0) as usize).min(scores)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withheld_threshold_is_the_score_that_few_enough_exceed() {
        let config = ThresholdConfig::HeldOut { false_alarms: 0.1, share: 0.1 };
        let scores: Vec<f64> = (1..=19).map(f64::from).collect();
        let threshold = config.fit(&scores).expect("scores");
        assert!((threshold - 18.0).abs() < 1e-12, "{threshold}");
        let expected = |count| config.expected_false_alarms(count).expect("withheld");
        assert!((expected(19) - 0.1).abs() < 1e-12, "two of twenty places lie above the 18th");
        assert!((expected(9) - 0.1).abs() < 1e-12);
        assert!((expected(4) - 0.2).abs() < 1e-12, "four scores cannot state a tenth");
        assert_eq!(ThresholdConfig::default().expected_false_alarms(19), None);
        assert_eq!([3, 8, 35, 36, 200].map(|count| config.withheld(count)), [0, 1, 4, 9, 20]);
        assert_eq!(ThresholdConfig::default().withheld(40), 0);
    }
}
