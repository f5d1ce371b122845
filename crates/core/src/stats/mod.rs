//! Means, order statistics and intervals: the one home of each.
//!
//! Sums are taken in the order given, so equal input has equal bits. What does not exist (the mean
//! of nothing, the deviation of one value, an interval from two trials) is `None`, never NaN.

mod bootstrap;
mod direction;
mod interval;
mod order;

pub use bootstrap::GroupBootstrap;
pub use direction::main_direction;
pub use interval::{Interval, NoInterval, resampled_t_interval, t_interval};
pub use order::{Sorted, median};

/// Arithmetic mean; none of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation, with divisor `n - 1`; none of fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_none() {
        assert_eq!((mean(&[]), deviation(&[]), deviation(&[1.0])), (None, None, None));
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!((mean(&[1.0, 2.0, 3.0]), deviation(&[1.0, 2.0, 3.0])), (Some(2.0), Some(1.0)));
    }
}
