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
    fn a_run_shorter_than_its_warm_up_still_has_a_rate() {
        let schedule = Schedule::Cosine(CosineSchedule { warm_up: 1.0, final_share: 0.0 });
        assert_abs_diff_eq!(schedule.share(0, 1), 1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(schedule.share(3, 4), 1.0, epsilon = 1e-12);
    }
}
