//! Nearest neighbours, with references that lie apart allowed a longer distance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    BackendKind, FittedBackend, Fitting,
    bands::{Band, Bands, Layout},
};
use crate::{Distance, ScoreError, check::count, neighbors::Neighbor, space::Space};

/// Variances of densities below this are rounding.
const LEAST_VARIANCE: f64 = 1e-12;

/// Smallest over references of `distance - a b`, `b` the reference's mean distance to its nearest
/// references of other recordings. `a` is what makes the scores of references vary least: the
/// slope of a reference's distance to its nearest other one over that one's `b`, found without the
/// former. One `a` per frequency band; the score is the mean over bands.
///
/// # Source
/// Variance-minimum rescaling (`VarMin`), with 4 neighbours. Other clips of the own recording do
/// not count as others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VarMinConfig {
    /// Nearest references that make a reference's density (4).
    pub neighbors: usize,
    /// Frequency bands (1).
    pub bands: usize,
    /// Spectra that an embedding holds one after another (1): 2 for mean and deviation.
    pub spectra: usize,
    /// How far embeddings are apart within a band.
    pub distance: Distance,
}

impl Default for VarMinConfig {
    fn default() -> Self {
        Self { neighbors: 4, bands: 1, spectra: 1, distance: Distance::Cosine }
    }
}

impl VarMinConfig {
    fn layout(&self) -> Layout {
        Layout { bands: self.bands, spectra: self.spectra }
    }

    /// What is taken off the distance to each reference of a band.
    fn allowances(&self, band: &Band, units: &[usize]) -> Vec<f64> {
        let mut sizes = BTreeMap::new();
        for unit in units {
            *sizes.entry(unit).or_insert(0) += 1;
        }
        // So many that the wanted ones are among them after any one unit is left out.
        let largest = sizes.into_values().max().unwrap_or(0);
        let others = band.others(units, self.neighbors + largest);
        let spread = |reference: usize, without: Option<usize>| {
            let counting = |near: &&Neighbor| Some(units[near.reference]) != without;
            mean_distance(&band.space, others[reference].iter().filter(counting), self.neighbors)
        };
        let slope = if units.len() < self.neighbors + 2 {
            0.0
        } else {
            let nearest = |j: usize| others[j].first().map(|near| (j, near));
            let pairs = (0..units.len()).filter_map(nearest).map(|(j, near)| {
                let distance = band.space.distance(near.squared);
                (distance, spread(near.reference, Some(units[j])))
            });
            slope(&pairs.collect::<Vec<_>>())
        };
        (0..units.len()).map(|reference| slope * spread(reference, None)).collect()
    }
}

fn mean_distance<'a>(
    space: &Space,
    nearest: impl Iterator<Item = &'a Neighbor>,
    wanted: usize,
) -> f64 {
    let distances: Vec<f64> =
        nearest.take(wanted).map(|near| space.distance(near.squared)).collect();
    distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

/// Slope of the first numbers over the second; 0 where the second do not vary.
fn slope(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len().max(1) as f64;
    let distance = pairs.iter().map(|pair| pair.0).sum::<f64>() / count;
    let spread = pairs.iter().map(|pair| pair.1).sum::<f64>() / count;
    let variance = pairs.iter().map(|pair| (pair.1 - spread).powi(2)).sum::<f64>() / count;
    if variance < LEAST_VARIANCE {
        return 0.0;
    }
    let covariance = pairs.iter().map(|pair| (pair.0 - distance) * (pair.1 - spread)).sum::<f64>();
    covariance / count / variance
}

impl BackendKind for VarMinConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let units = fitting.normals.units();
        let mut bands = self.layout().fit("var-min", self.distance, fitting);
        for band in &mut bands {
            band.allowances = self.allowances(band, &units);
        }
        Ok(Box::new(Bands(bands)))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn check(&self) -> Result<(), ScoreError> {
        count("neighbors", self.neighbors)?;
        self.layout().check()
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        self.layout().check_dims(dims)
    }

    fn is_signed(&self) -> bool {
        true
    }
}
