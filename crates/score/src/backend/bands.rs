//! Embeddings cut into frequency bands, each compared on its own.

use ndarray::{Array2, ArrayView2, Axis};

use super::{FittedBackend, Fitting};
use crate::{
    Distance, ScoreError,
    check::{count, within},
    neighbors::{Neighbor, smallest},
    space::Space,
};

/// How an embedding is made of bands: `spectra` spectra of one length, one after another, each cut
/// into `bands` parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) bands: usize,
    pub(super) spectra: usize,
}

/// The references of one band.
#[derive(Debug)]
pub(super) struct Band {
    columns: Vec<usize>,
    pub(super) space: Space,
    pub(super) references: Array2<f32>,
    /// Taken off the distance to each reference.
    pub(super) allowances: Vec<f64>,
}

/// The mean over bands of the distance to the nearest reference of each, less its allowance.
#[derive(Debug)]
pub(super) struct Bands(pub(super) Vec<Band>);

impl Layout {
    pub(super) fn check(self) -> Result<(), ScoreError> {
        count("bands", self.bands)?;
        within("spectra", self.spectra as f64, 1.0..=16.0, "between 1 and 16")
    }

    pub(super) fn check_dims(self, dims: usize) -> Result<(), ScoreError> {
        if dims.is_multiple_of(self.spectra) {
            return Ok(());
        }
        let (setting, found) = ("spectra", self.spectra as f64);
        Err(ScoreError::Setting { setting, found, expected: "a divisor of the dimensions" })
    }

    /// Fits every band to its part of the references, without allowances.
    pub(super) fn fit(
        self,
        backend: &'static str,
        distance: Distance,
        fitting: &mut Fitting,
    ) -> Vec<Band> {
        let length = fitting.normals.embeddings.ncols() / self.spectra;
        let bands = fitting.at_most(backend, "bands", self.bands, length);
        let normals = fitting.normals;
        let band = |index: usize| {
            let part = index * length / bands..(index + 1) * length / bands;
            let columns: Vec<usize> = (0..self.spectra)
                .flat_map(|spectrum| part.clone().map(move |column| spectrum * length + column))
                .collect();
            let normals = normals.columns(&columns);
            let space = Space::fit(distance, 0.0, &normals);
            let references = space.map(normals.embeddings.view());
            let allowances = vec![0.0; normals.clips()];
            Band { columns, space, references, allowances }
        };
        (0..bands).map(band).collect()
    }
}

impl Band {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = self.space.map(embeddings.select(Axis(1), &self.columns).view());
        let key = |_: usize, reference: usize, squared: f64| {
            self.space.distance(squared) - self.allowances[reference]
        };
        let found = smallest(points.view(), self.references.view(), 1, key);
        found.into_iter().map(|near| near[0].key).collect()
    }

    /// For each reference those nearest to it of other units, so many at most.
    pub(super) fn others(&self, units: &[usize], wanted: usize) -> Vec<Vec<Neighbor>> {
        let key = |query: usize, reference: usize, squared: f64| {
            if units[query] == units[reference] { f64::INFINITY } else { squared }
        };
        smallest(self.references.view(), self.references.view(), wanted, key)
    }
}

impl FittedBackend for Bands {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let mut sums = vec![0.0; embeddings.nrows()];
        for band in &self.0 {
            for (sum, score) in sums.iter_mut().zip(band.score(embeddings)) {
                *sum += score;
            }
        }
        sums.into_iter().map(|sum| sum / self.0.len() as f64).collect()
    }
}
