//! A plain ear beside the network's: level and liveliness of every mel band, compared with the
//! nearest normal window.
//!
//! A network that was trained on few recordings of one machine hears what tells its classes apart
//! and may be deaf to the rest: another machine can fall into the middle of the normal cluster. The
//! plain ear learns nothing and so forgets nothing.

use ndarray::{Array2, ArrayView1, Axis};
use offkey_signal::{FeatureError, LogMel};

/// Mel bands of a spectrum.
pub(super) const MELS: usize = 64;
/// Bands whose level hardly varies still vary by measurement: least deviation counted.
pub(super) const LEAST_DEVIATION_DB: f32 = 1.0;

/// Mean and deviation over time of each mel band's level, in decibels, `[2 * MELS]`.
///
/// # Errors
/// [`FeatureError`] when the window is shorter than one frame.
pub(super) fn spectrum(rate_hz: u32, window: &[f32]) -> Result<Vec<f32>, FeatureError> {
    let log_mel = LogMel { rate_hz, mels: MELS, ..LogMel::default() }.log_mel(window)?;
    let frames = log_mel.nrows().max(1) as f32;
    let means = log_mel.columns().into_iter().map(|column| column.sum() / frames);
    let mut spectrum: Vec<f32> = means.collect();
    for (mel, column) in log_mel.columns().into_iter().enumerate() {
        let mean = spectrum[mel];
        let variance = column.iter().map(|level| (level - mean).powi(2)).sum::<f32>() / frames;
        spectrum.push(variance.sqrt());
    }
    Ok(spectrum)
}

/// Spectra of the references, ready to be compared with.
pub(super) struct Spectra {
    /// `[windows, 2 * MELS]`, in deviations.
    references: Array2<f32>,
    /// Number of each reference's group.
    groups: Vec<usize>,
    /// Of each column over the references.
    deviation: Vec<f32>,
}

impl Spectra {
    /// Takes the spectra of the references, `[windows, 2 * MELS]`, and the group of each.
    pub(super) fn new(spectra: &Array2<f32>, groups: &[&str]) -> Self {
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        let groups = groups.iter().map(|group| names.partition_point(|name| name < group));
        let deviation: Vec<f32> =
            spectra.std_axis(Axis(0), 0.0).iter().map(|d| d.max(LEAST_DEVIATION_DB)).collect();
        let references = spectra / &ArrayView1::from(&deviation);
        Self { references, groups: groups.collect(), deviation }
    }

    /// Distance of a spectrum to the nearest reference: root mean square over the columns, in
    /// deviations.
    pub(super) fn distance(&self, spectrum: ArrayView1<f32>) -> f64 {
        let spectrum = &spectrum / &ArrayView1::from(&self.deviation);
        self.nearest(spectrum.view(), None)
    }

    /// Distance of each reference to the nearest one of another group.
    pub(super) fn held_out_distances(&self) -> Vec<f64> {
        let rows = self.references.rows().into_iter().zip(&self.groups);
        rows.map(|(row, &group)| self.nearest(row, Some(group))).collect()
    }

    fn nearest(&self, spectrum: ArrayView1<f32>, but_group: Option<usize>) -> f64 {
        let rows = self.references.rows().into_iter().zip(&self.groups);
        let squares = rows
            .filter(|(_, group)| Some(**group) != but_group)
            .map(|(row, _)| row.iter().zip(spectrum).map(|(a, b)| (a - b).powi(2)).sum::<f32>());
        let least = squares.fold(f32::INFINITY, f32::min);
        f64::from((least / spectrum.len() as f32).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_reference_is_near_itself_and_held_out_from_its_group() {
        let spectra = array![[0.0, 0.0], [0.0, 1.0], [30.0, 0.0]];
        let ears = Spectra::new(&spectra, &["a", "a", "b"]);
        assert_eq!(ears.distance(spectra.row(1)).to_bits(), 0.0_f64.to_bits());
        let held_out = ears.held_out_distances();
        assert!(held_out[0] > 1.0 && held_out[1] > held_out[0], "{held_out:?}");
    }
}
