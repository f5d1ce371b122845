//! Options of the optimiser that the paper's recipe does without: a schedule of the learning rate, and
//! when to stop early.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// It rises linearly, then falls along half a cosine.
    Cosine(CosineSchedule),
}

/// A linear rise, then half a cosine.
///
/// # Source
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, without
/// restarts; the warm-up is that of Goyal et al., "Accurate, Large Minibatch SGD", 2017.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosineSchedule {
    /// Share of the steps over which it rises. Default 0.05, our choice.
    pub warm_up: f64,
    /// Share of the learning rate that is left at the end. Default 0.
    pub final_share: f64,
}

impl Default for CosineSchedule {
    fn default() -> Self {
        Self { warm_up: 0.05, final_share: 0.0 }
    }
}

/// Stops a training whose loss on held-out clips no longer falls, and keeps the weights of the epoch
/// in which it was lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower loss after which training stops. Default 5, our choice.
    pub patience_epochs: usize,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience_epochs: 5 }
    }
}

/// Ends a training once the task on held-out clips has stood still: over the last `flat_steps` the
/// lowest loss fell by no more than `tolerance` of itself, and the best accuracy did not rise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convergence {
    /// Steps over which nothing was gained. Default 100, our choice.
    pub flat_steps: usize,
    /// Steps that are trained in any case. Default 300, our choice.
    pub least_steps: usize,
    /// Share of the loss whose gain does not count. Default 0.02, our choice.
    pub tolerance: f64,
}

impl Default for Convergence {
    fn default() -> Self {
        Self { flat_steps: 100, least_steps: 300, tolerance: 0.02 }
    }
}

/// What held-out clips gave at the end of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct HeldOut {
    /// Steps done.
    pub(super) step: usize,
    pub(super) loss: f64,
    /// Absent with a single class.
    pub(super) accuracy: Option<f64>,
}

impl Convergence {
    /// Whether training has converged at the last of these.
    pub(super) fn is_met(self, curve: &[HeldOut]) -> bool {
        let Some(last) = curve.last().filter(|last| last.step >= self.least_steps) else {
            return false;
        };
        let Some(flat_since) = last.step.checked_sub(self.flat_steps) else { return false };
        let (before, after): (Vec<&HeldOut>, Vec<&HeldOut>) =
            curve.iter().partition(|row| row.step <= flat_since);
        let lowest =
            |rows: &[&HeldOut]| rows.iter().map(|row| row.loss).fold(f64::INFINITY, f64::min);
        let best =
            |rows: &[&HeldOut]| rows.iter().filter_map(|row| row.accuracy).fold(0.0, f64::max);
        let gained = lowest(&before) - lowest(&after) > self.tolerance * lowest(&before).abs();
        !before.is_empty() && !gained && best(&after) <= best(&before)
    }
}

impl Schedule {
    /// The share of the learning rate that a step of a run uses, both from 0.
    pub(super) fn share(self, step: usize, steps: usize) -> f64 {
        let Self::Cosine(CosineSchedule { warm_up, final_share }) = self else { return 1.0 };
        let (step, steps) = (step as f64, steps as f64);
        let rising = (warm_up * steps).round();
        if step < rising {
            return (step + 1.0) / rising;
        }
        let done = (step - rising) / (steps - rising).max(1.0);
        final_share + (1.0 - final_share) * 0.5 * (1.0 + (PI * done).cos())
    }

    /// Names the first setting outside its range.
    pub(super) fn invalid(self) -> Option<(&'static str, String, &'static str)> {
        let Self::Cosine(CosineSchedule { warm_up, final_share }) = self else { return None };
        let shares = [("warm_up", warm_up), ("final_share", final_share)];
        let broken = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share));
        broken.map(|(field, share)| (field, share.to_string(), "a share from 0 to 1"))
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn the_rate_rises_to_its_height_and_falls_along_half_a_cosine() {
        let schedule = Schedule::Cosine(CosineSchedule { warm_up: 0.1, final_share: 0.2 });
        let shares: Vec<f64> = (0..100).map(|step| schedule.share(step, 100)).collect();
        assert_abs_diff_eq!(shares[0], 0.1, epsilon = 1e-12);
        assert_abs_diff_eq!(shares[9], 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(shares[10], 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(shares[55], 0.6, epsilon = 1e-12);
        assert!(shares[10..].is_sorted_by(|a, b| a > b));
        assert!((0.2..0.201).contains(&shares[99]), "{}", shares[99]);
        assert_eq!(Schedule::Constant.share(7, 100).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn training_has_converged_when_loss_and_accuracy_stand_still_for_long_enough() {
        let rule = Convergence { flat_steps: 100, least_steps: 300, tolerance: 0.02 };
        let row = |step: usize, loss: f64, accuracy: f64| HeldOut {
            step,
            loss,
            accuracy: Some(accuracy),
        };
        let falling: Vec<HeldOut> = (1..=20).map(|i| row(20 * i, 1.0 / i as f64, 0.9)).collect();
        assert!(!rule.is_met(&falling));
        let flat =
            |until: usize| (1..=until / 20).map(|i| row(20 * i, 0.5, 0.9)).collect::<Vec<_>>();
        assert!(!rule.is_met(&flat(280)), "fewer steps than asked for in any case");
        assert!(rule.is_met(&flat(300)));
        let mut still_learning = flat(400);
        still_learning.last_mut().expect("some").accuracy = Some(0.95);
        assert!(!rule.is_met(&still_learning));
        let mut dropped = flat(400);
        dropped.last_mut().expect("some").loss = 0.48;
        assert!(!rule.is_met(&dropped));
        dropped.last_mut().expect("some").loss = 0.495;
        assert!(rule.is_met(&dropped), "less than the tolerance");
        assert!(!rule.is_met(&[]));
    }

    #[test]
    fn a_run_shorter_than_its_warm_up_still_has_a_rate() {
        let schedule = Schedule::Cosine(CosineSchedule { warm_up: 1.0, final_share: 0.0 });
        assert_abs_diff_eq!(schedule.share(0, 1), 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(schedule.share(3, 4), 1.0, epsilon = 1e-12);
    }
}
