//! Two-sided intervals, and why there is none.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Sorted, deviation, mean};

/// A two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Why there is no interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoInterval {
    /// Too few values, or recordings, to tell how much they vary.
    #[error("{found} {what}, an interval needs at least {least}")]
    TooFew {
        /// What is too few, in the plural.
        what: String,
        /// How many there are.
        found: usize,
        /// How many it takes.
        least: usize,
    },
    /// Every resample gives the same value: how far the truth lies from it cannot be told so.
    #[error("every resample gives {value:.3}, so resampling cannot tell how sure that is")]
    NoSpread {
        /// The value of every resample.
        value: f64,
    },
}

/// Fewest trials with an interval. The t interval of two exists, but is so wide (12.7 standard
/// errors) that it says nothing.
const LEAST_TRIALS: usize = 3;

impl Interval {
    /// Percentiles of resamples, linear between neighbours, that leave equal shares outside on both
    /// sides; none of nothing.
    pub fn of_resamples(values: impl IntoIterator<Item = f64>, coverage: f64) -> Option<Self> {
        let sorted = Sorted::new(values);
        let outside = (1.0 - coverage) / 2.0;
        Some(Self { low: sorted.quantile(outside)?, high: sorted.quantile(1.0 - outside)? })
    }

    /// The part between two limits, as 0 and 1 for rates and areas under curves.
    #[must_use]
    pub fn clipped(self, least: f64, most: f64) -> Self {
        Self { low: self.low.clamp(least, most), high: self.high.clamp(least, most) }
    }
}

/// Student's t interval for the mean of independent trials; none of fewer than three.
///
/// # Source
/// Student 1908: `mean ± t(n - 1) s / sqrt(n)`.
pub fn t_interval(values: &[f64], coverage: f64) -> Option<Interval> {
    interval(values, 0.0, coverage)
}

/// The corrected interval for trials whose training clips overlap, as those of folds or of repeated
/// splits do; none of fewer than three. `test_per_train` is the number of test clips over that of
/// training clips.
///
/// # Source
/// Nadeau & Bengio 2003: the variance of the mean is `s² (1/n + n_test/n_train)`.
pub fn resampled_t_interval(
    values: &[f64],
    test_per_train: f64,
    coverage: f64,
) -> Option<Interval> {
    interval(values, test_per_train, coverage)
}

fn interval(values: &[f64], overlap: f64, coverage: f64) -> Option<Interval> {
    if values.len() < LEAST_TRIALS {
        return None;
    }
    let trials = values.len() as f64;
    let (mean, deviation) = (mean(values)?, deviation(values)?);
    let t = StudentsT::new(0.0, 1.0, trials - 1.0).ok()?.inverse_cdf(0.5 + coverage / 2.0);
    let half = t * deviation * (1.0 / trials + overlap).sqrt();
    Some(Interval { low: mean - half, high: mean + half })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn the_t_interval_is_that_of_the_tables() {
        // scipy.stats.t.ppf(0.975, n - 1) of n = 3, 5, 10.
        let quantiles = [(3, 4.302_652_729_9), (5, 2.776_445_105_2), (10, 2.262_157_162_7)];
        for (trials, t) in quantiles {
            let values: Vec<f64> = (0..trials).map(f64::from).collect();
            let (mean, deviation) =
                (mean(&values).expect("some"), deviation(&values).expect("some"));
            let found = t_interval(&values, 0.95).expect("three trials or more");
            let half = t * deviation / f64::from(trials).sqrt();
            assert!((found.high - mean - half).abs() < 1e-7, "{trials}: {found:?}");
            assert!((mean - found.low - half).abs() < 1e-7, "{trials}: {found:?}");
        }
    }

    #[test]
    fn two_trials_have_no_interval() {
        assert_eq!(t_interval(&[0.1, 0.2], 0.95), None);
        assert_eq!(resampled_t_interval(&[0.1, 0.2], 0.25, 0.95), None);
    }

    #[test]
    fn trials_that_share_clips_have_the_wider_interval() {
        let values = [0.1, 0.3, 0.2, 0.5, 0.4];
        let width = |i: Interval| i.high - i.low;
        let plain = width(t_interval(&values, 0.95).expect("five trials"));
        let corrected = width(resampled_t_interval(&values, 0.25, 0.95).expect("five trials"));
        // (1/5 + 1/4) / (1/5) = 2.25.
        assert!((corrected / plain - 1.5).abs() < 1e-12);
    }

    #[test]
    fn the_t_interval_covers_the_truth_as_often_as_it_says() {
        // Twelve uniform numbers less six are nearly normal, with mean 0.
        let normal = |seed: Seed| {
            (0..12).map(|i| seed.child(i).value() as f64 / u64::MAX as f64).sum::<f64>() - 6.0
        };
        let draws = 2000;
        for trials in [3, 5] {
            let covered = (0..draws)
                .filter(|&draw| {
                    let seed = Seed::new(9).child(draw);
                    let values: Vec<f64> = (0..trials).map(|t| normal(seed.child(t))).collect();
                    let found = t_interval(&values, 0.95).expect("three trials or more");
                    found.low <= 0.0 && 0.0 <= found.high
                })
                .count();
            // 95 % of 2000 is 1900, with a binomial deviation of 9.7; four of them each way.
            assert!((1861..=1939).contains(&covered), "{trials} trials: {covered} of {draws}");
        }
    }

    #[test]
    fn limits_are_kept() {
        let wide = Interval { low: -0.2, high: 1.3 };
        assert_eq!(wide.clipped(0.0, 1.0), Interval { low: 0.0, high: 1.0 });
    }
}
