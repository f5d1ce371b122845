//! Axes: from numbers to places, with round ticks.

use offkey_core::stats::Sorted;

/// An axis, linear or logarithmic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    scale: Scale,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    /// Linear, with a tick every so much.
    Linear(f64),
    /// Logarithmic, with ticks at 1, 2 and 5 times powers of ten, or at those alone.
    Logarithmic,
}

/// Most powers of ten that an axis has ticks between.
const FEW_DECADES: f64 = 2.0;
/// Most powers of ten that a logarithmic axis covers.
const MOST_DECADES: f64 = 6.0;

/// Whether a linear axis would press most values against its low end, and a logarithmic one not:
/// all are positive, and half of them lie in the lowest tenth of their range.
pub(crate) fn are_skewed(values: impl Iterator<Item = f64>) -> bool {
    let finite = Sorted::new(values.filter(|value| value.is_finite()));
    let (Some((low, high)), Some(median)) = (finite.range(), finite.median()) else {
        return false;
    };
    low > 0.0 && median - low < 0.1 * (high - low) && (high / low).log10() <= MOST_DECADES
}

impl Axis {
    /// An axis over exactly this range, with about `ticks` round ticks.
    pub(crate) fn exact(low: f64, high: f64, ticks: usize) -> Self {
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        Self { low, high, scale: Scale::Linear(round_step((high - low) / ticks as f64)) }
    }

    /// An axis over all finite values, widened to the next ticks.
    pub(crate) fn around(values: impl Iterator<Item = f64>, ticks: usize) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Self::exact(0.0, 1.0, ticks);
        }
        let axis = Self::exact(low, high, ticks);
        let step = round_step((axis.high - axis.low) / ticks as f64);
        let (first, last) = ((axis.low / step).floor(), (axis.high / step).ceil());
        Self { low: first * step, high: last * step, scale: Scale::Linear(step) }
    }

    /// A logarithmic axis over all positive values, widened to the next ticks.
    pub(crate) fn around_logarithms(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|value| value.is_finite() && *value > 0.0);
        let (low, high) = positive
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.1, 1.0) } else { (low, high) };
        let ticks = decades(low, high);
        let slack = 1.0 + 1e-9;
        let below = ticks.iter().rev().find(|tick| **tick <= low * slack);
        let above = ticks.iter().find(|tick| **tick * slack >= high);
        let (low, high) = (below.copied().unwrap_or(low), above.copied().unwrap_or(high));
        let high = if high > low { high } else { 10.0 * low };
        Self { low, high, scale: Scale::Logarithmic }
    }

    pub(crate) fn is_logarithmic(&self) -> bool {
        self.scale == Scale::Logarithmic
    }

    /// A linear axis from zero over whole numbers up to this one: no tick stands between them.
    pub(crate) fn counts(most: usize) -> Self {
        let axis = Self::around([0.0, most.max(1) as f64].into_iter(), 4);
        match axis.scale {
            Scale::Linear(step) if step < 1.0 => {
                Self { low: 0.0, high: most.max(1) as f64, scale: Scale::Linear(1.0) }
            }
            _ => axis,
        }
    }

    /// The axis with a share of its range added at each end, ticks unchanged; of a linear axis.
    pub(crate) fn widened(self, share: f64) -> Self {
        let margin = share * (self.high - self.low);
        Self { low: self.low - margin, high: self.high + margin, ..self }
    }

    /// Ticks inside the range, as values and labels.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear(step) => self.linear_ticks(step),
            Scale::Logarithmic => self.logarithmic_ticks(),
        }
    }

    fn logarithmic_ticks(&self) -> Vec<(f64, String)> {
        let slack = 1.0 + 1e-9;
        let is_few = (self.high / self.low).log10() <= FEW_DECADES + 1e-9;
        let ticks = decades(self.low, self.high).into_iter();
        let inside = ticks.filter(|tick| *tick * slack >= self.low && *tick <= self.high * slack);
        let shown =
            inside.filter(|tick| is_few || (tick.log10().round() - tick.log10()).abs() < 1e-9);
        shown
            .map(|tick| {
                let decimals = (-(tick * slack).log10().floor()).max(0.0) as usize;
                (tick, format!("{tick:.decimals$}"))
            })
            .collect()
    }

    fn linear_ticks(&self, step: f64) -> Vec<(f64, String)> {
        // A tick may miss the end of the range by rounding.
        let slack = 1e-9;
        let first = (self.low / step - slack).ceil() as i64;
        let last = (self.high / step + slack).floor() as i64;
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let values = (first..=last).map(|index| index as f64 * step);
        values
            .map(|value| (value, format!("{value:.decimals$}").replace('-', "\u{2212}")))
            .collect()
    }

    /// Where a value lies between `from` (the low end) and `to`.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear(_) => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        from + share * (to - from)
    }
}

/// 1, 2 and 5 times every power of ten from below `low` to above `high`.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().floor() as i32 + 1;
    powers.flat_map(|power| [1.0, 2.0, 5.0].map(|lead| lead * 10_f64.powi(power))).collect()
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let lead = step / power;
    let round = if lead <= 1.0 + 1e-9 {
        1.0
    } else if lead <= 2.0 {
        2.0
    } else if lead <= 5.0 {
        5.0
    } else {
        10.0
    };
    round * power
}

/// A number in few digits, for words: as in `0.413`, `12.5`, `1840`.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.01 || size == 0.0 => 3,
        _ => return format!("{value:.1e}"),
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis) -> String {
        axis.ticks().into_iter().map(|tick| tick.1).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_and_inside() {
        for (low, high, expected) in [
            (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0"),
            (0.0, 8000.0, "0 2000 4000 6000 8000"),
            (-3.0, 2.5, "\u{2212}2 0 2"),
            (0.0123, 0.0131, "0.0124 0.0126 0.0128 0.0130"),
        ] {
            assert_eq!(labels(Axis::exact(low, high, 5)), expected);
        }
    }

    #[test]
    fn counts_have_whole_ticks() {
        for (most, expected) in
            [(0, "0 1"), (1, "0 1"), (2, "0 1 2"), (3, "0 1 2 3"), (20, "0 5 10 15 20")]
        {
            assert_eq!(labels(Axis::counts(most)), expected);
        }
    }

    #[test]
    fn ticks_of_a_logarithmic_axis_are_evenly_spread() {
        for (low, high, expected) in [
            (0.003, 0.54, "0.01 0.1 1"),
            (0.02, 0.3, "0.02 0.05 0.1 0.2 0.5"),
            (3.0, 40.0, "2 5 10 20 50"),
            (1.0, 1.0, "1 2 5 10"),
        ] {
            let axis = Axis::around_logarithms([low, high].into_iter());
            assert_eq!(labels(axis), expected);
            let place = |value: f64| axis.place(value, 0.0, 1.0);
            assert!(place(low) >= 0.0 && place(high) <= 1.0 + 1e-9);
            assert!(
                (place(2.0 * low) - place(low) - (place(4.0 * low) - place(2.0 * low))).abs()
                    < 1e-9
            );
        }
        assert!(Axis::around_logarithms(std::iter::empty()).ticks().len() > 1);
    }

    #[test]
    fn values_pressed_to_one_end_are_skewed() {
        assert!(are_skewed([0.01, 0.011, 0.012, 0.02, 0.5].into_iter()));
        assert!(!are_skewed([0.1, 0.2, 0.3, 0.4, 0.5].into_iter()));
        assert!(!are_skewed([0.0, 0.011, 0.012, 0.02, 0.5].into_iter()), "zero has no logarithm");
        assert!(!are_skewed(std::iter::empty()));
    }

    #[test]
    fn an_axis_without_extent_still_has_one() {
        for values in [vec![], vec![3.0], vec![0.0, 0.0], vec![f64::NAN]] {
            let axis = Axis::around(values.into_iter(), 5);
            assert!(axis.high > axis.low && axis.ticks().len() > 1);
        }
    }
}
