//! The gamma distribution: fitted to scores, and its quantiles.

use statrs::function::gamma::{digamma, gamma_lr, ln_gamma};

/// A gamma distribution shifted along the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gamma {
    pub(crate) shape: f64,
    pub(crate) scale: f64,
    pub(crate) location: f64,
}

/// Locations tried, as distances below the smallest value in units of the values' range: from
/// where a gamma is as steep as the values allow to where it is a normal distribution.
const NEAREST_LOCATION: f64 = 1e-2;
const FARTHEST_LOCATION: f64 = 1e2;
const LOCATIONS: usize = 60;

impl Gamma {
    /// Maximum likelihood over shape, scale and location, the location at least a hundredth of the
    /// values' range below the smallest value, since the likelihood has no maximum at it.
    /// None when the values do not vary.
    pub(crate) fn fit(values: &[f64]) -> Option<Self> {
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = highest - lowest;
        if range.is_nan() || range <= 0.0 {
            return None;
        }
        let at = |log_offset: f64| Self::fit_at(values, lowest - range * log_offset.exp());
        let (near, far) = (NEAREST_LOCATION.ln(), FARTHEST_LOCATION.ln());
        let step = (far - near) / LOCATIONS as f64;
        let likelihood = |log_offset: f64| at(log_offset).1;
        let best = (0..=LOCATIONS)
            .map(|index| near + step * index as f64)
            .max_by(|&a, &b| likelihood(a).total_cmp(&likelihood(b)))?;
        let refined = golden_section(best - step, best + step, likelihood).clamp(near, far);
        Some(at(refined).0)
    }

    /// Maximum likelihood at a given location, with its mean log-likelihood.
    fn fit_at(values: &[f64], location: f64) -> (Self, f64) {
        let clips = values.len() as f64;
        let mean = values.iter().map(|value| value - location).sum::<f64>() / clips;
        let mean_log = values.iter().map(|value| (value - location).ln()).sum::<f64>() / clips;
        let shape = shape_of(mean.ln() - mean_log);
        let scale = mean / shape;
        let likelihood =
            (shape - 1.0) * mean_log - mean / scale - shape * scale.ln() - ln_gamma(shape);
        (Self { shape, scale, location }, likelihood)
    }

    /// The value below which a share of the distribution lies, `0 < share < 1`.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.shape.max(1.0));
        while gamma_lr(self.shape, high) < share {
            low = high;
            high *= 2.0;
        }
        // Each halving settles one bit.
        for _ in 0..f64::MANTISSA_DIGITS {
            let middle = f64::midpoint(low, high);
            if gamma_lr(self.shape, middle) < share {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.location + self.scale * f64::midpoint(low, high)
    }
}

/// The shape whose `ln shape - digamma(shape)` is the given positive number, by Newton's steps on
/// its logarithm from Minka's start.
fn shape_of(gap: f64) -> f64 {
    // Below this the values hardly vary in relation to their offset, and the shape is as large.
    let gap = gap.max(1e-12);
    let mut shape = (3.0 - gap + ((gap - 3.0).powi(2) + 24.0 * gap).sqrt()) / (12.0 * gap);
    for _ in 0..20 {
        let error = shape.ln() - digamma(shape) - gap;
        let slope = 1.0 - shape * trigamma(shape);
        let step = error / slope;
        shape *= (-step).clamp(-1.0, 1.0).exp();
        if step.abs() < 1e-14 {
            break;
        }
    }
    shape
}

/// Place of the maximum of a function with one.
fn golden_section(mut low: f64, mut high: f64, value: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..60 {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if value(left) < value(right) {
            low = left;
        } else {
            high = right;
        }
    }
    f64::midpoint(low, high)
}

/// Second derivative of the logarithm of the gamma function, for positive arguments.
fn trigamma(mut x: f64) -> f64 {
    /// Arguments above this are given to the asymptotic series, smaller ones are raised to it.
    const ASYMPTOTIC: f64 = 10.0;
    let mut sum = 0.0;
    while x < ASYMPTOTIC {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series =
        y * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * 5.0 / 66.0))));
    sum + 1.0 / x + 0.5 * y + series / x
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn trigamma_has_its_known_value() {
        // Pi squared over six.
        assert_relative_eq!(trigamma(1.0), 1.644_934_066_848_226_4, max_relative = 1e-12);
    }

    #[test]
    fn shape_one_is_the_exponential_distribution() {
        let gamma = Gamma { shape: 1.0, scale: 2.0, location: 3.0 };
        for share in [0.01_f64, 0.5, 0.9, 0.999] {
            let expected = 3.0 - 2.0 * (1.0 - share).ln();
            assert_relative_eq!(gamma.quantile(share), expected, max_relative = 1e-12);
        }
    }

    #[test]
    fn a_fit_to_its_own_quantiles_finds_the_distribution() {
        let truth = Gamma { shape: 4.0, scale: 0.5, location: -1.0 };
        let values: Vec<f64> =
            (0..4000).map(|index| truth.quantile((f64::from(index) + 0.5) / 4000.0)).collect();
        let found = Gamma::fit(&values).expect("the values vary");
        // Quantiles in place of draws cut the tails, which the fit answers with a few percent.
        assert_relative_eq!(found.shape, truth.shape, max_relative = 0.05);
        assert_relative_eq!(found.quantile(0.9), truth.quantile(0.9), max_relative = 2e-3);
    }

    #[test]
    fn values_that_do_not_vary_have_no_fit() {
        assert_eq!(Gamma::fit(&[1.0, 1.0]), None);
    }
}
