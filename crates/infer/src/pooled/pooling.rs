//! What is kept of one band of a spectrogram.

use ndarray::ArrayView2;
use offkey_signal::{mean_and_deviation, time_statistics};
use serde::{Deserialize, Serialize};

use super::PooledError;

/// Weights below this share of the largest are nothing beside rounding.
const NEGLIGIBLE: f64 = 1e-12;

/// How the frames of a band become one or two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Mean over time.
    #[default]
    Mean,
    /// Mean over time, and standard deviation over time (divided by the number of frames).
    MeanDeviation,
    /// Loud frames, or soft ones, weigh more: global weighted ranking pooling.
    Gwrp(Gwrp),
    /// Unusual frames weigh more: relative-deviation pooling.
    Rdp(Rdp),
}

/// Frames sorted by their level in the band, the i-th weighted by `r^i`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gwrp {
    /// Weight of a frame relative to the one before it (0.5): 1 is the mean, 0 the first frame alone.
    pub r: f64,
    /// Which frames come first.
    pub first: First,
}

/// Which end of the sorted frames weighs most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum First {
    /// The loudest: knocks and strokes.
    #[default]
    Loudest,
    /// The quietest: what a steady machine sounds like while louder noise pauses.
    Quietest,
}

impl Default for Gwrp {
    fn default() -> Self {
        Self { r: 0.5, first: First::Loudest }
    }
}

/// Frames weighted by `(1 + d / largest d)^g`, `d` their distance to the band's mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rdp {
    /// How much unusual frames count (6, the middle of the published 4 to 8): 0 is the mean.
    pub g: f64,
}

impl Default for Rdp {
    fn default() -> Self {
        Self { g: 6.0 }
    }
}

impl Pooling {
    /// Numbers kept per band.
    pub(super) fn values(&self) -> usize {
        match self {
            Self::Mean | Self::Gwrp(_) | Self::Rdp(_) => 1,
            Self::MeanDeviation => 2,
        }
    }

    pub(super) fn check(&self) -> Result<(), PooledError> {
        let (setting, found, most, expected) = match *self {
            Self::Mean | Self::MeanDeviation => return Ok(()),
            Self::Gwrp(Gwrp { r, .. }) => ("r", r, 1.0, "a weight from 0 to 1"),
            Self::Rdp(Rdp { g }) => ("g", g, 100.0, "an exponent from 0 to 100"),
        };
        if (0.0..=most).contains(&found) {
            return Ok(());
        }
        Err(PooledError::Setting { setting, found, expected })
    }

    /// Pools every band of a spectrogram, `[bands, frames]` with one frame at least: every band's
    /// first number, then every band's second.
    pub(crate) fn pool(&self, bands: ArrayView2<f32>) -> Vec<f32> {
        let each = |of_band: &dyn Fn(&[f32]) -> f64| {
            let rows = bands.rows().into_iter();
            rows.map(|band| of_band(&band.to_vec()) as f32).collect()
        };
        match *self {
            Self::Mean => mean_and_deviation(bands.t()).0,
            Self::MeanDeviation => time_statistics(bands.t()),
            Self::Gwrp(gwrp) => each(&|band| ranked(band, gwrp)),
            Self::Rdp(Rdp { g }) => each(&|band| unusual(band, g)),
        }
    }
}

fn mean(frames: &[f32]) -> f64 {
    frames.iter().map(|&value| f64::from(value)).sum::<f64>() / frames.len() as f64
}

fn ranked(frames: &[f32], Gwrp { r, first }: Gwrp) -> f64 {
    let mut frames = frames.to_vec();
    let by_rank = |a: &f32, b: &f32| match first {
        First::Loudest => b.total_cmp(a),
        First::Quietest => a.total_cmp(b),
    };
    // Frames too late to count need no order.
    let counting = match r {
        r if r <= 0.0 => 1.0,
        r if r < 1.0 => (NEGLIGIBLE.ln() / r.ln()).ceil(),
        _ => f64::INFINITY,
    };
    if counting < frames.len() as f64 {
        let counting = (counting as usize).max(1);
        frames.select_nth_unstable_by(counting - 1, by_rank);
        frames.truncate(counting);
    }
    frames.sort_unstable_by(by_rank);
    let (mut weight, mut weights, mut sum) = (1.0, 0.0, 0.0);
    for value in frames {
        sum += weight * f64::from(value);
        weights += weight;
        weight *= r;
    }
    sum / weights
}

fn unusual(frames: &[f32], g: f64) -> f64 {
    let mean = mean(frames);
    let distance = |value: f32| (f64::from(value) - mean).abs();
    let largest = frames.iter().map(|&value| distance(value)).fold(0.0, f64::max);
    if largest <= 0.0 {
        return mean;
    }
    let (mut weights, mut sum) = (0.0, 0.0);
    for &value in frames {
        let weight = (1.0 + distance(value) / largest).powf(g);
        sum += weight * f64::from(value);
        weights += weight;
    }
    sum / weights
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;

    use super::*;

    fn pooled(pooling: Pooling, band: &[f32]) -> Vec<f32> {
        pooling.pool(ndarray::ArrayView1::from(band).insert_axis(ndarray::Axis(0)))
    }

    fn close(found: f32, expected: f64) {
        // Results are rounded to single precision.
        assert!(
            (f64::from(found) - expected).abs() <= 1e-6 * (1.0 + expected.abs()),
            "{found} {expected}"
        );
    }

    #[test]
    fn hand_numbers() {
        let frames = [1.0, 4.0, 2.0, 5.0];
        close(pooled(Pooling::Mean, &frames)[0], 3.0);
        let both = pooled(Pooling::MeanDeviation, &frames);
        close(both[0], 3.0);
        close(both[1], 2.5_f64.sqrt());
        // (5 + 4/2 + 2/4 + 1/8) / (1 + 1/2 + 1/4 + 1/8)
        close(pooled(Pooling::Gwrp(Gwrp::default()), &frames)[0], 7.625 / 1.875);
        // Distances 2, 1, 1, 2 of at most 2: weights 4, 2.25, 2.25, 4.
        close(pooled(Pooling::Rdp(Rdp { g: 2.0 }), &frames)[0], (6.0 * 4.0 + 6.0 * 2.25) / 12.5);
    }

    #[test]
    fn the_ends_of_each_family_are_mean_and_maximum() {
        let seed = Seed::new(3);
        for frames in [1, 2, 7, 400] {
            let band: Vec<f32> = (0..frames)
                .map(|i| seed.child(i).value() as f32 / u64::MAX as f32 * 80.0 - 100.0)
                .collect();
            let mean = pooled(Pooling::Mean, &band)[0];
            close(
                pooled(Pooling::Gwrp(Gwrp { r: 1.0, ..Gwrp::default() }), &band)[0],
                f64::from(mean),
            );
            close(pooled(Pooling::Rdp(Rdp { g: 0.0 }), &band)[0], f64::from(mean));
            let largest = band.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            close(
                pooled(Pooling::Gwrp(Gwrp { r: 0.0, ..Gwrp::default() }), &band)[0],
                f64::from(largest),
            );
            let between = pooled(Pooling::Gwrp(Gwrp::default()), &band)[0];
            assert!((mean..=largest).contains(&between), "{mean} {between} {largest}");
        }
    }

    #[test]
    fn the_quietest_frames_are_the_loudest_of_the_band_upside_down() {
        let band = [1.0, 4.0, 2.0, 5.0, -3.0];
        let upside_down = band.map(|level| -level);
        for r in [0.0, 0.5, 0.97] {
            let of = |first, band: &[f32]| pooled(Pooling::Gwrp(Gwrp { r, first }), band)[0];
            close(of(First::Quietest, &band), f64::from(-of(First::Loudest, &upside_down)));
        }
        // A loud disturbance of one frame in two hardly moves what is heard in between.
        let disturbed: Vec<f32> = (0..40).map(|i| if i % 2 == 0 { -60.0 } else { -10.0 }).collect();
        let quiet = pooled(Pooling::Gwrp(Gwrp { r: 0.5, first: First::Quietest }), &disturbed)[0];
        assert!((quiet + 60.0).abs() < 0.01, "{quiet}");
    }

    #[test]
    fn leaving_soft_frames_out_changes_nothing() {
        let seed = Seed::new(4);
        let band: Vec<f32> = (0..500)
            .map(|i| seed.child(i).value() as f32 / u64::MAX as f32 * 80.0 - 100.0)
            .collect();
        for r in [0.1_f64, 0.5, 0.9, 0.99] {
            let mut sorted = band.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let weights: Vec<f64> = (0..500).map(|i| r.powi(i)).collect();
            let sum: f64 = sorted.iter().zip(&weights).map(|(&x, w)| f64::from(x) * w).sum();
            close(
                pooled(Pooling::Gwrp(Gwrp { r, ..Gwrp::default() }), &band)[0],
                sum / weights.iter().sum::<f64>(),
            );
        }
    }

    #[test]
    fn a_constant_band_is_itself_however_it_is_pooled() {
        for pooling in [Pooling::Mean, Pooling::Gwrp(Gwrp::default()), Pooling::Rdp(Rdp::default())]
        {
            close(pooled(pooling, &[-40.0; 9])[0], -40.0);
        }
        assert_eq!(pooled(Pooling::MeanDeviation, &[-40.0; 9]), [-40.0, 0.0]);
    }

    #[test]
    fn weights_out_of_range_are_refused() {
        for pooling in [
            Pooling::Gwrp(Gwrp { r: 1.1, ..Gwrp::default() }),
            Pooling::Gwrp(Gwrp { r: f64::NAN, ..Gwrp::default() }),
            Pooling::Rdp(Rdp { g: -1.0 }),
            Pooling::Rdp(Rdp { g: f64::INFINITY }),
        ] {
            assert!(pooling.check().is_err(), "{pooling:?}");
        }
    }
}
