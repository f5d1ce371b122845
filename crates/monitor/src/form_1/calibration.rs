//! Two ears, one calibrated score.

use offkey_core::stats::Sorted;

/// How far a window is from normal, for either ear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distances {
    /// Anomaly score of the network's embedding.
    pub(super) network: f64,
    /// Distance of the plain spectrum to the nearest normal one.
    pub(super) spectrum: f64,
}

/// A window's place among the calibration windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// The larger of both ears' scores, each on its own scale: 0 at the median of normal windows, 1 where
    /// only a tenth of them lies farther.
    pub(super) score: f64,
    /// Calibration windows at least as far.
    pub(super) at_least_as_far: usize,
    /// Conformal p-value.
    pub(super) p_value: f64,
}

/// Share of windows below the point that sets an ear's scale.
const FAR_SHARE: f64 = 0.9;
/// Least logarithmic distance between median and far point, so that equal scores do not divide by
/// nothing.
const LEAST_SPREAD: f64 = 0.05;

/// Places a window among calibration windows.
///
/// Both ears' scales are taken from the calibration windows **and** the window itself. All are then
/// treated alike, and the p-value is valid for any distribution if the window is exchangeable with
/// them, although the same windows set the scales and the threshold.
pub(super) fn place(calibration: &[Distances], window: Distances) -> Place {
    let all = || calibration.iter().chain([&window]);
    let network = Scale::of(all().map(|distances| distances.network));
    let spectrum = Scale::of(all().map(|distances| distances.spectrum));
    let score = |distances: &Distances| {
        network.score(distances.network).max(spectrum.score(distances.spectrum))
    };
    let own = score(&window);
    let at_least_as_far = calibration.iter().filter(|other| score(other) >= own).count();
    let p_value = (1 + at_least_as_far) as f64 / (1 + calibration.len()) as f64;
    Place { score: own, at_least_as_far, p_value }
}

/// The scale of one ear.
struct Scale {
    median: f64,
    spread: f64,
}

impl Scale {
    fn of(distances: impl Iterator<Item = f64>) -> Self {
        let sorted = Sorted::new(distances.map(positive));
        let at = |share: f64| sorted.quantile_below(share).expect("the window itself is there");
        let (median, far) = (at(0.5), at(FAR_SHARE));
        Self { median, spread: (far / median).ln().max(LEAST_SPREAD) }
    }

    fn score(&self, distance: f64) -> f64 {
        (positive(distance) / self.median).ln() / self.spread
    }
}

/// Distances are ratios here; equal embeddings are as near as rounding lets them be.
fn positive(distance: f64) -> f64 {
    distance.max(1e-9)
}

#[cfg(test)]
mod tests {
    use offkey_core::Seed;

    use super::*;

    fn uniform(seed: Seed, name: &str, index: usize) -> f64 {
        seed.child(name).child(index).value() as f64 / u64::MAX as f64
    }

    #[test]
    fn either_ear_alone_can_raise_the_alarm() {
        let seed = Seed::new(1);
        let normal: Vec<Distances> = (0..99)
            .map(|i| Distances {
                network: 0.01 + 0.01 * uniform(seed, "network", i),
                spectrum: 1.0 + uniform(seed, "spectrum", i),
            })
            .collect();
        let (network, spectrum) = (0.015, 1.5);
        assert!(place(&normal, Distances { network, spectrum }).p_value > 0.2);
        for odd in [Distances { network: 0.1, spectrum }, Distances { network, spectrum: 9.0 }] {
            assert!((place(&normal, odd).p_value - 0.01).abs() < 1e-12, "{odd:?}");
        }
    }

    #[test]
    fn a_normal_window_alarms_as_often_as_promised() {
        // 4000 draws of 20 windows: the share of p at 1/20 has a deviation of 0.0034.
        let draws = 4000;
        let alarms = (0..draws)
            .filter(|&draw| {
                let seed = Seed::new(2).child(draw);
                let windows: Vec<Distances> = (0..20)
                    .map(|i| Distances {
                        network: uniform(seed, "network", i).powi(4),
                        spectrum: 1.0 / (uniform(seed, "spectrum", i) + 1e-3),
                    })
                    .collect();
                place(&windows[1..], windows[0]).at_least_as_far == 0
            })
            .count();
        let share = alarms as f64 / f64::from(draws);
        assert!((share - 0.05).abs() < 4.0 * 0.0034, "{share}");
    }

    #[test]
    fn windows_that_are_all_alike_look_normal() {
        let same = Distances { network: 0.0, spectrum: 0.0 };
        assert!((place(&[same; 9], same).p_value - 1.0).abs() < 1e-12);
    }
}
