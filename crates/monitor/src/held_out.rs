//! What the normal recordings say of each other, each scored without itself: odd ones among them, all
//! too equal ones, false events.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use offkey_core::stats::Sorted;
use offkey_infer::pooled::Pooling;

use crate::{ModelCard, Monitor, model::Detecting};

/// From so many deviations above the median of the other recordings on, a recording is odd...
const ODD_DEVIATIONS: f64 = 4.0;
/// ...if it is as far above those that are not as that.
const ODD_GAP: f64 = 1.0;
/// Very equal recordings still differ by chance: least spread counted.
const LEAST_SPREAD: f64 = 0.25;
/// Windows of different recordings that are as alike as this share of what windows of one recording
/// are: the recordings are one.
const ONE_RECORDING: f64 = 1.1;
/// Recordings whose levels differ by less than this from each other, in decibels on average, say
/// nothing about other conditions.
const ALIKE_DB: f32 = 0.5;

impl Monitor {
    /// Recordings that lie far from all others, each with how many deviations above their median: a
    /// fault among them would be taken for normal. By the distance to the median spectrum, which several odd ones do
    /// not move; where that finds none, by the detector's held-out scores.
    pub fn odd_recordings(&self) -> Vec<(String, f64)> {
        let Detecting::Members(members) = &self.detecting else { return Vec::new() };
        let look = |scores: &[f64]| -> Vec<(String, f64)> {
            let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
            for ((recording, _), &score) in self.card.rows().zip(scores) {
                let entry = worst.entry(&recording.path).or_insert(f64::NEG_INFINITY);
                *entry = entry.max(score);
            }
            let odd = odd(&worst.values().copied().collect::<Vec<_>>());
            let paths = worst.into_keys().zip(odd);
            paths.filter_map(|(path, above)| Some((path.to_owned(), above?))).collect()
        };
        let by_spectra = self.mean_spectra().map(|spectra| look(&from_median(spectra)));
        match by_spectra {
            Some(found) if !found.is_empty() => found,
            _ => look(members.scales.held_out()),
        }
    }

    /// Mean spectra of the windows, where a member hears them.
    fn mean_spectra(&self) -> Option<ArrayView2<'_, f32>> {
        let Detecting::Members(members) = &self.detecting else { return None };
        let mean = |member: &crate::MemberCard| match &member.model {
            ModelCard::Pooled(config) => config.pooling == Pooling::Mean,
            ModelCard::Statistics(_)
            | ModelCard::Network(_)
            | ModelCard::Autoencoder(_)
            | ModelCard::Onnx(_) => false,
        };
        let member = self.card.members.iter().position(mean)?;
        Some(members.heard.embeddings.get(member)?.view())
    }

    /// What a person should know of the recordings learned from: which are odd, whether they are all alike or
    /// parts of one, and where a few of them limit what is heard.
    pub fn warnings(&self) -> Vec<String> {
        let groups: Vec<&str> = self.card.rows().map(|(row, _)| row.group.as_str()).collect();
        let mut warnings: Vec<String> = self
            .odd_recordings()
            .into_iter()
            .map(|(path, deviations)| {
                format!(
                    "listen to {path}: it lies {deviations:.0} deviations farther from the other normal recordings than is \
                     usual. While it counts as normal, only what is more unusual still will alarm"
                )
            })
            .collect();
        warnings.extend(self.listening().mixed());
        if let Some((within, between)) = self.mean_spectra().and_then(|rows| apart(rows, &groups)) {
            if between < ALIKE_DB {
                warnings.push(format!(
                    "the recordings are all alike ({between:.1} dB apart per band): other conditions of the machine will alarm"
                ));
            } else if f64::from(between) < ONE_RECORDING * f64::from(within) {
                warnings.push(format!(
                    "windows of different recordings are as alike as windows of one ({between:.1} and {within:.1} dB apart per \
                     band): are they one recording, cut into pieces? Then the bound does not hold for other days"
                ));
            }
        }
        warnings
    }
}

/// Distance of each window from the median of all, in robust deviations of each band: their root mean square.
fn from_median(spectra: ArrayView2<f32>) -> Vec<f64> {
    /// Least deviation of a band that counts, in decibels.
    const LEAST_DB: f64 = 1.0;
    let mut squares = vec![0.0; spectra.nrows()];
    for band in spectra.columns() {
        let levels: Vec<f64> = band.iter().map(|&level| f64::from(level)).collect();
        let (median, deviation) = center(&levels);
        for (square, level) in squares.iter_mut().zip(&levels) {
            *square += ((level - median) / deviation.max(LEAST_DB)).powi(2);
        }
    }
    squares.into_iter().map(|square| (square / spectra.ncols().max(1) as f64).sqrt()).collect()
}

/// Median, and the median absolute deviation on the scale of a normal distribution's deviation.
fn center(values: &[f64]) -> (f64, f64) {
    let of = |values: &[f64]| Sorted::new(values.iter().copied()).upper_median().unwrap_or(0.0);
    let median = of(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    (median, 1.4826 * of(&distances))
}

/// How far above the median of the others each value is, in robust deviations, where that is odd.
fn odd(values: &[f64]) -> Vec<Option<f64>> {
    let (median, spread) = center(values);
    let above: Vec<f64> =
        values.iter().map(|value| (value - median) / spread.max(LEAST_SPREAD)).collect();
    let far = |&above: &f64| above > ODD_DEVIATIONS;
    let of = |odd: bool| values.iter().zip(&above).filter(move |(_, above)| far(above) == odd);
    // There is a gap between the odd ones and the others.
    let least = of(true).map(|(&value, _)| value).fold(f64::INFINITY, f64::min);
    let most = of(false).map(|(&value, _)| value).fold(f64::NEG_INFINITY, f64::max);
    let apart = values.len() > 3 && least - most > ODD_GAP;
    above.into_iter().map(|above| (apart && far(&above)).then_some(above)).collect()
}

/// Mean difference of band levels between neighbouring windows of one recording, and between windows
/// of different ones; none where there are too few of either.
fn apart(spectra: ArrayView2<f32>, groups: &[&str]) -> Option<(f32, f32)> {
    let distance = |a: usize, b: usize| {
        let bands = spectra.row(a).into_iter().zip(spectra.row(b));
        bands.map(|(a, b)| (a - b).abs()).sum::<f32>() / spectra.ncols().max(1) as f32
    };
    let (mut within, mut between) = (Vec::new(), Vec::new());
    let windows = spectra.nrows();
    for row in 0..windows {
        // Pairs a fixed stretch apart keep the work linear.
        for other in [row + 1, row + windows / 3 + 1].into_iter().filter(|&other| other < windows) {
            let same = groups[row] == groups[other];
            let list = if same { &mut within } else { &mut between };
            list.push(distance(row, other));
        }
    }
    let mean = |list: &[f32]| list.iter().sum::<f32>() / list.len() as f32;
    match (within.as_slice(), between.as_slice()) {
        (_, []) => None,
        ([], between) if between.len() > 2 => Some((0.0, mean(between))),
        (within, between) if within.len() > 2 => Some((mean(within), mean(between))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn the_one_that_lies_far_from_the_others_is_odd_and_no_other() {
        let found = odd(&[0.1, 0.4, -0.2, 0.0, 6.0, 0.3]);
        assert!(found[4].is_some() && found.iter().flatten().count() == 1, "{found:?}");
        assert_eq!(odd(&[0.1, 1.0, 4.0, 2.5, 3.2]), [None; 5]);
        assert_eq!(odd(&[]), []);
        // Two of them do not hide each other.
        let found = odd(&[0.1, 0.4, -0.2, 0.0, 6.0, 0.3, 6.1, 0.2]);
        assert!(found[4].is_some() && found[6].is_some() && found.iter().flatten().count() == 2);
    }

    #[test]
    fn windows_of_one_recording_and_of_several_are_told_apart() {
        let spectra = |step: f32| {
            Array2::from_shape_fn((24, 4), |(i, _)| step * (i / 4) as f32 + 0.3 * (i % 2) as f32)
        };
        let names: Vec<String> = (0..24).map(|i| (i / 4).to_string()).collect();
        let groups: Vec<&str> = names.iter().map(String::as_str).collect();
        let (within, between) = apart(spectra(5.0).view(), &groups).expect("enough windows");
        assert!(within < 0.4 && between > 5.0, "{within} {between}");
        let (within, between) = apart(spectra(0.0).view(), &groups).expect("enough windows");
        assert!(between < 1.1 * within + 0.1, "{within} {between}");
    }
}
