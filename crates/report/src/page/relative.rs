//! Scores of different sections on one scale, so that they can be ranked together.

use offkey_core::stats::{Sorted, median};

use super::data::SectionScores;

/// From a section's scores to relative ones: 0 is a typical normal clip that was held out, 1 the
/// section's threshold.
///
/// Without held-out scores below the threshold, 1 is still the threshold, and the unit is the
/// interquartile range of the section's test scores; without a threshold 0 is their median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// The score that `at` stands for.
    fixed: f64,
    at: f64,
    unit: f64,
    threshold: Option<f64>,
}

impl Scale {
    /// The scale of a section; none where it has neither scores nor a threshold.
    pub(crate) fn of(section: &SectionScores) -> Option<Self> {
        let threshold = section.threshold.filter(|threshold| threshold.is_finite());
        let held_out = section.held_out.iter().copied().filter(|score| score.is_finite());
        if let (Some(threshold), Some(typical)) = (threshold, median(held_out))
            && threshold > typical
        {
            let unit = threshold - typical;
            return Some(Self { fixed: typical, at: 0.0, unit, threshold: Some(threshold) });
        }
        let scores = section.rows.iter().map(|row| row.score).filter(|score| score.is_finite());
        let scores = Sorted::new(scores);
        let quartiles = scores.quantile(0.25).zip(scores.quantile(0.75));
        let spread = quartiles.map_or(0.0, |(lower, upper)| upper - lower);
        let unit = if spread > 0.0 { spread } else { 1.0 };
        match (threshold, scores.median()) {
            (Some(fixed), _) => Some(Self { fixed, at: 1.0, unit, threshold }),
            (None, Some(fixed)) => Some(Self { fixed, at: 0.0, unit, threshold: None }),
            (None, None) => None,
        }
    }

    /// A score on this scale, to four decimals. A score above the threshold is above 1 and no other
    /// is, whatever is lost by rounding.
    pub(crate) fn relative(&self, score: f64) -> f64 {
        let exact = self.at + (score - self.fixed) / self.unit;
        let rounded = (exact * 1e4).round() / 1e4;
        match self.threshold {
            Some(threshold) if score > threshold => rounded.max(1.0001),
            Some(_) => rounded.min(1.0),
            None => rounded,
        }
    }
}

/// Where a relative score stands along an axis: even up to twice the threshold and logarithmic beyond,
/// so that strong faults do not press all others together. The page's script bends the same way.
pub(crate) fn bent(relative: f64) -> f64 {
    if relative > 2.0 {
        2.0 + 2.0 * (relative / 2.0).ln()
    } else if relative < -1.0 {
        -1.0 - (-relative).ln()
    } else {
        relative
    }
}

/// An axis of relative scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RelativeAxis {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl RelativeAxis {
    /// Around all these scores, the typical normal clip and the threshold.
    pub(crate) fn around(scores: impl Iterator<Item = f64>) -> Self {
        let (low, high) = scores
            .filter(|score| score.is_finite())
            .fold((0.0_f64, 1.5_f64), |(low, high), score| (low.min(score), high.max(score)));
        let margin = 0.03 * (bent(high) - bent(low));
        Self { low: bent(low) - margin, high: bent(high) + margin }
    }

    /// Place along the axis, 0 to 1.
    pub(crate) fn share(&self, relative: f64) -> f64 {
        (bent(relative) - self.low) / (self.high - self.low)
    }

    /// Round numbers along the axis that are not too close to be labelled.
    pub(crate) fn ticks(&self) -> Vec<(f64, f64)> {
        const ROUND: [f64; 17] = [
            0.0, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0, 20.0, 50.0, 200.0, 500.0, 0.5, 1.5, -1.0,
            -10.0, -2.0, -5.0,
        ];
        let mut ticks: Vec<(f64, f64)> = Vec::new();
        for value in ROUND {
            let share = self.share(value);
            let is_free = ticks.iter().all(|(_, other)| (other - share).abs() > 0.07);
            if (0.0..=1.0).contains(&share) && is_free {
                ticks.push((value, share));
            }
        }
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        ticks
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "rounded to four decimals")]
mod tests {
    use super::*;

    fn section(threshold: Option<f64>, held_out: &[f64]) -> SectionScores {
        SectionScores {
            machine: "fan".to_owned(),
            section: "00".to_owned(),
            threshold,
            held_out: held_out.to_vec(),
            rows: Vec::new(),
        }
    }

    #[test]
    fn the_threshold_is_one_and_a_typical_normal_clip_is_nothing() {
        let scale = Scale::of(&section(Some(5.0), &[2.0, 3.0, 4.0])).expect("a scale");
        assert_eq!([3.0, 5.0, 7.0].map(|score| scale.relative(score)), [0.0, 1.0, 2.0]);
        assert_eq!(scale.relative(5.0 + 1e-9), 1.0001, "above stays above");
        assert_eq!(scale.relative(5.0 - 1e-9), 1.0, "and below below");
        let without = Scale::of(&section(Some(5.0), &[])).expect("a scale");
        assert_eq!([5.0, 6.0].map(|score| without.relative(score)), [1.0, 2.0]);
        assert_eq!(Scale::of(&section(None, &[1.0])), None);
    }

    #[test]
    fn an_axis_rises_and_its_labels_stand_apart() {
        let axis = RelativeAxis::around([-4.0, 0.2, 90.0].into_iter());
        let shares = [-4.0, -1.0, 0.0, 1.0, 2.0, 50.0].map(|score| axis.share(score));
        assert!(shares.windows(2).all(|pair| pair[0] < pair[1]), "{shares:?}");
        let ticks = axis.ticks();
        assert!(ticks.len() > 4 && ticks.windows(2).all(|pair| pair[1].1 - pair[0].1 > 0.06));
        assert!(ticks.iter().any(|tick| tick.0 == 1.0), "the threshold is among them");
    }
}
