//! Medians and quantiles.

/// Values in rising order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts values; those that are not numbers come last.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }

    /// The values, rising.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The smallest and the largest value; none of nothing.
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((*self.0.first()?, *self.0.last()?))
    }

    /// The value below which `share` of the values lie, linear between neighbours: 0 is the
    /// smallest value, 1 the largest. None of nothing.
    ///
    /// # Source
    /// Hyndman & Fan 1996, type 7: the default of `NumPy` and R.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        let position = share.clamp(0.0, 1.0) * last as f64;
        let below = position.floor() as usize;
        let above = (below + 1).min(last);
        Some(self.0[below] + (position - below as f64) * (self.0[above] - self.0[below]))
    }

    /// As [`Self::quantile`], but the value itself that lies there or next below, so that it is one
    /// of the values.
    pub fn quantile_below(&self, share: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        Some(self.0[(share.clamp(0.0, 1.0) * last as f64) as usize])
    }

    /// The middle value, or the mean of the two middle values; none of nothing.
    pub fn median(&self) -> Option<f64> {
        let upper = self.upper_median()?;
        let lower = self.0[(self.0.len() - 1) / 2];
        Some(f64::midpoint(lower, upper))
    }

    /// The middle value, or the upper of the two middle values; none of nothing.
    pub fn upper_median(&self) -> Option<f64> {
        self.0.get(self.0.len() / 2).copied()
    }
}

/// The middle value, or the mean of the two middle values; none of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    Sorted::new(values).median()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_of_nothing_do_not_exist() {
        let nothing = Sorted::new([]);
        assert_eq!((nothing.quantile(0.5), nothing.median(), nothing.range()), (None, None, None));
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0.1, 0.25, 0.5, 0.9])
        let values = Sorted::new([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]);
        for (share, expected) in [(0.1, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9)] {
            let found = values.quantile(share).expect("there are values");
            assert!((found - expected).abs() < 1e-12, "{share}: {found}");
        }
        assert_eq!(values.quantile_below(0.9), Some(6.0));
        assert_eq!((values.median(), values.upper_median()), (Some(3.5), Some(4.0)));
    }

    proptest! {
        #[test]
        fn the_median_is_the_middle_quantile(
            values in prop::collection::vec(-1e3..1e3_f64, 1..30)
        ) {
            let sorted = Sorted::new(values);
            let (median, half) = (sorted.median().unwrap_or(f64::NAN), sorted.quantile(0.5));
            prop_assert!((median - half.unwrap_or(f64::NAN)).abs() < 1e-9);
            let (low, high) = sorted.range().unwrap_or((f64::NAN, f64::NAN));
            prop_assert!(low <= median && median <= high);
        }

        #[test]
        fn quantiles_rise_with_the_share(
            values in prop::collection::vec(-1e3..1e3_f64, 1..30),
            a in 0.0..1.0_f64,
            b in 0.0..1.0_f64
        ) {
            let sorted = Sorted::new(values);
            prop_assert!(sorted.quantile(a.min(b)) <= sorted.quantile(a.max(b)));
            prop_assert!(sorted.quantile_below(a) <= sorted.quantile(a));
        }
    }
}
