//! What a model file of the first form promises: calibration windows held out from training.
//!
//! A window's conformal p-value is the share of calibration windows (and itself) that look at least
//! as bad. Windows of one recording resemble each other; what holds if only whole *recordings* are
//! exchangeable is [`at_most`].

use serde::Deserialize;

use crate::FalseAlarmRate;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstPromise {
    /// What was asked for; none: the strictest that calibration supports.
    pub(super) wished: Option<FalseAlarmRate>,
    /// Probability that a normal window is called an alarm; none: nothing can be promised.
    pub(super) per_window: Option<f64>,
    /// Seconds between windows.
    pub(super) every_s: f64,
    /// Windows the promise rests on.
    pub(super) calibration_windows: usize,
    /// Recordings those windows were cut from.
    pub(super) calibration_recordings: usize,
}

impl FirstPromise {
    /// The p-value at or below which a window is called an alarm.
    pub(super) fn alarm_p(&self) -> f64 {
        self.per_window.unwrap_or(1.0 / (self.calibration_windows as f64 + 1.0))
    }

    /// Whether the numbers can be believed.
    pub(super) fn is_sound(&self, calibration_windows: usize) -> bool {
        let share = |p: f64| p > 0.0 && p <= 1.0;
        self.calibration_windows == calibration_windows
            && calibration_windows > 0
            && self.calibration_recordings <= calibration_windows
            && self.per_window.is_none_or(share)
            && self.every_s > 0.0
            && self.every_s.is_finite()
    }
}

/// The share of normal windows of new recordings that alarm, at most, where an alarm may lie as far as
/// `as_bad` of the calibration windows, of which each recording has as many as `windows` says.
///
/// If recordings are exchangeable the share is at most `(1 + s) / (r + 1)`, where `s` is the largest
/// sum of `1 / windows` over any `as_bad` windows: those of the shortest recordings.
///
/// # Source
/// Lee, Barber and Willett, "Distribution-free inference with hierarchical data" (2023).
pub(super) fn at_most(as_bad: usize, windows: &[usize]) -> f64 {
    let mut lengths = windows.to_vec();
    lengths.sort_unstable();
    let mut left = as_bad;
    let mut sum = 0.0;
    for &length in lengths.iter().filter(|&&length| length > 0) {
        let taken = left.min(length);
        sum += taken as f64 / length as f64;
        left -= taken;
    }
    ((1.0 + sum) / (lengths.len() as f64 + 1.0)).min(1.0)
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;

    use super::*;

    fn uniform(seed: Seed) -> f64 {
        seed.value() as f64 / u64::MAX as f64
    }

    #[test]
    fn what_holds_for_recordings_of_unequal_length_is_not_broken_by_simulation() {
        // Scores differ between recordings only: the worst case.
        for (lengths, alpha) in [
            (vec![100, 1, 1, 1, 1, 1, 1, 1, 1, 1], 0.05),
            (vec![300, 10, 10, 10, 10], 0.05),
            (vec![10; 10], 0.05),
        ] {
            let windows: usize = lengths.iter().sum();
            let as_bad = (alpha * (windows as f64 + 1.0)).floor() as usize - 1;
            let draws = 4000;
            let alarms = (0..draws)
                .filter(|&draw| {
                    let seed = Seed::new(3).child(draw);
                    let new = uniform(seed.child("new"));
                    let worse =
                        lengths.iter().enumerate().filter(|(i, _)| uniform(seed.child(*i)) >= new);
                    worse.map(|(_, length)| length).sum::<usize>() <= as_bad
                })
                .count();
            let share = alarms as f64 / f64::from(draws);
            let bound = at_most(as_bad, &lengths);
            // Three deviations of a share over so many draws.
            assert!(share <= bound + 0.024, "{lengths:?}: {share} above {bound}");
        }
    }

    #[test]
    fn windows_that_sound_alike_are_worth_no_more_than_their_recordings() {
        assert!((at_most(0, &[5, 5]) - 1.0 / 3.0).abs() < 1e-12);
        assert!((at_most(5, &[100, 1, 1]) - (1.0 + 2.0 + 0.03) / 4.0).abs() < 1e-12);
    }
}
