//! Axes: from numbers to places, with round ticks.

/// A linear axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    step: f64,
}

impl Axis {
    /// An axis over exactly this range, with about `ticks` round ticks.
    pub(crate) fn exact(low: f64, high: f64, ticks: usize) -> Self {
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        Self { low, high, step: round_step((high - low) / ticks as f64) }
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
        let (first, last) = ((axis.low / axis.step).floor(), (axis.high / axis.step).ceil());
        Self { low: first * axis.step, high: last * axis.step, step: axis.step }
    }

    /// The axis with a share of its range added at each end, ticks unchanged.
    pub(crate) fn widened(self, share: f64) -> Self {
        let margin = share * (self.high - self.low);
        Self { low: self.low - margin, high: self.high + margin, ..self }
    }

    /// Ticks inside the range, as values and labels.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        // A tick may miss the end of the range by rounding.
        let slack = 1e-9;
        let first = (self.low / self.step - slack).ceil() as i64;
        let last = (self.high / self.step + slack).floor() as i64;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let values = (first..=last).map(|index| index as f64 * self.step);
        values
            .map(|value| (value, format!("{value:.decimals$}").replace('-', "\u{2212}")))
            .collect()
    }

    /// Where a value lies between `from` (the low end) and `to`.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }
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
    fn an_axis_without_extent_still_has_one() {
        for values in [vec![], vec![3.0], vec![0.0, 0.0], vec![f64::NAN]] {
            let axis = Axis::around(values.into_iter(), 5);
            assert!(axis.high > axis.low && axis.ticks().len() > 1);
        }
    }
}
