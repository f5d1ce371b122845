//! The mean that the official evaluators take.

/// Harmonic mean with every value floored at machine epsilon, as the official evaluators take it;
/// none of nothing.
pub fn harmonic_mean(values: &[f64]) -> Option<f64> {
    let inverse_sum: f64 = values.iter().map(|value| 1.0 / value.max(f64::EPSILON)).sum();
    (!values.is_empty()).then(|| values.len() as f64 / inverse_sum)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use offkey_core::stats::mean;

    use super::*;

    #[test]
    fn the_mean_of_nothing_does_not_exist() {
        assert_eq!(harmonic_mean(&[]), None);
    }

    #[test]
    fn a_zero_drags_the_harmonic_mean_to_epsilon_not_to_nan() {
        let mean = harmonic_mean(&[0.0, 0.9]).expect("two values");
        assert_relative_eq!(mean, 2.0 * f64::EPSILON, max_relative = 1e-12);
    }

    #[test]
    fn harmonic_never_exceeds_arithmetic_and_both_keep_a_constant() {
        let values = [0.3, 0.6, 0.9];
        let (a, h) = (mean(&values), harmonic_mean(&values));
        assert!(h < a);
        assert_relative_eq!(harmonic_mean(&[0.4; 5]).expect("five values"), 0.4, epsilon = 1e-15);
    }
}
