//! Recordings called normal that sound odd among the others: a fault called normal is never heard
//! again.

use std::{collections::BTreeMap, path::PathBuf};

use offkey_core::stats::Sorted;

use super::model::Monitor;

/// From so many times the usual distance to the nearest other recording on, a recording is odd...
const TIMES_FARTHER: f64 = 2.5;
/// ...if that is so many robust deviations away as well, on a logarithmic scale.
const DEVIATIONS: f64 = 3.0;

impl Monitor {
    /// Recordings of the learning whose worst window lies far from all other recordings, and how many
    /// times as far as is usual.
    ///
    /// Judged by the plain spectrum alone: the network was trained to keep a recording that is a
    /// class of its own away from the others, however it sounds.
    pub fn odd_recordings(&self) -> Vec<(PathBuf, f64)> {
        let references = self.spectra.held_out_distances();
        let references = self.card.references.iter().zip(references);
        let calibration = self.calibration.iter().map(|distances| distances.spectrum);
        let calibration = self.card.calibration.iter().zip(calibration);
        let mut worst: BTreeMap<&PathBuf, f64> = BTreeMap::new();
        for (row, distance) in references.chain(calibration) {
            let entry = worst.entry(&row.window.path).or_insert(distance);
            *entry = entry.max(distance);
        }
        let times = times_farther(&worst.values().copied().collect::<Vec<_>>());
        let odd = worst.into_keys().zip(times);
        odd.filter_map(|(path, times)| Some((path.clone(), times?))).collect()
    }
}

/// How many times as far as the median each distance is, where that is odd.
fn times_farther(distances: &[f64]) -> Vec<Option<f64>> {
    let logs: Vec<f64> = distances.iter().map(|distance| distance.max(1e-9).ln()).collect();
    let median = |values: Vec<f64>| Sorted::new(values).upper_median().unwrap_or(0.0);
    let usual = median(logs.clone());
    // 1.4826 turns the median absolute deviation into a normal distribution's deviation.
    let deviation = 1.4826 * median(logs.iter().map(|log| (log - usual).abs()).collect());
    logs.into_iter()
        .map(|log| log - usual)
        .map(|above| {
            let odd = above > TIMES_FARTHER.ln() && above > DEVIATIONS * deviation;
            (odd && above.is_finite()).then(|| above.exp())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_lies_far_from_the_others_is_odd_and_no_other() {
        let distances = [1.0, 1.2, 0.9, 1.1, 5.0, 0.8];
        let times = times_farther(&distances);
        assert!(times[4].is_some_and(|times| (times - 5.0).abs() < 0.6), "{times:?}");
        assert_eq!(times.iter().flatten().count(), 1);
    }

    #[test]
    fn where_distances_differ_widely_none_is_odd() {
        assert_eq!(times_farther(&[0.1, 1.0, 4.0, 0.3, 9.0]), [None; 5]);
        assert_eq!(times_farther(&[]), []);
    }
}
