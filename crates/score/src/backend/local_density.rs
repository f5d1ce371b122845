//! Distance to the nearest reference, judged by how dense the references lie there.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting};
use crate::{
    Distance, ScoreError,
    check::count,
    neighbors::{Neighbor, smallest},
    space::Space,
};

/// Densities below this share of the mean one are raised to it: duplicates among the references
/// have no density of their own.
const LEAST_SHARE: f64 = 1e-3;

/// Smallest over references of the distance relative to the reference's own mean distance to its
/// nearest references of other recordings, so that sparse domains are not held against a clip.
///
/// # Source
/// Local density-based score normalisation for domain generalisation (Wilkinghoff et al. 2025).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalDensityConfig {
    /// Nearest references that make a reference's density (4, our choice); fewer where there are
    /// fewer clips.
    pub neighbors: usize,
    /// How distance and density are set against each other.
    pub norm: DensityNorm,
    /// How far embeddings are apart.
    pub distance: Distance,
}

/// How a distance is set against a density.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DensityNorm {
    /// Distance divided by it.
    #[default]
    Ratio,
    /// Distance minus it.
    Difference,
}

impl Default for LocalDensityConfig {
    fn default() -> Self {
        Self { neighbors: 4, norm: DensityNorm::Ratio, distance: Distance::Cosine }
    }
}

/// References with their densities.
#[derive(Debug)]
struct LocalDensity {
    norm: DensityNorm,
    space: Arc<Space>,
    references: Array2<f32>,
    /// Mean distance of each reference to its nearest ones of other recordings.
    densities: Vec<f64>,
}

impl BackendKind for LocalDensityConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let others = fitting.points.nrows() - 1;
        let neighbors = fitting.at_most("local-density", "neighbors", self.neighbors, others);
        let units = fitting.normals.units();
        let (space, references) = (fitting.space.clone(), fitting.points.clone());
        let mut densities = densities(&space, references.view(), &units, neighbors);
        if self.norm == DensityNorm::Ratio {
            raise(&mut densities);
        }
        Ok(Box::new(LocalDensity { norm: self.norm, space, references, densities }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn check(&self) -> Result<(), ScoreError> {
        count("neighbors", self.neighbors)
    }

    fn is_signed(&self) -> bool {
        self.norm == DensityNorm::Difference
    }
}

/// Mean distance of each reference to its nearest ones of other units.
fn densities(
    space: &Space,
    references: ArrayView2<f32>,
    units: &[usize],
    neighbors: usize,
) -> Vec<f64> {
    let key = |query: usize, reference: usize, squared: f64| {
        if units[query] == units[reference] { f64::INFINITY } else { squared }
    };
    let mean = |near: &Vec<Neighbor>| {
        let sum: f64 = near.iter().map(|near| space.distance(near.squared)).sum();
        sum / near.len().max(1) as f64
    };
    smallest(references, references, neighbors, key).iter().map(mean).collect()
}

/// Keeps densities away from zero; where all are zero they become one.
fn raise(densities: &mut [f64]) {
    let mean = densities.iter().sum::<f64>() / densities.len() as f64;
    let least = if mean > 0.0 { LEAST_SHARE * mean } else { 1.0 };
    for density in densities {
        *density = density.max(least);
    }
}

impl FittedBackend for LocalDensity {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = self.space.map(embeddings);
        let key = |_: usize, reference: usize, squared: f64| match self.norm {
            DensityNorm::Ratio => self.space.distance(squared) / self.densities[reference],
            DensityNorm::Difference => self.space.distance(squared) - self.densities[reference],
        };
        let found = smallest(points.view(), self.references.view(), 1, key);
        found.into_iter().map(|near| near[0].key).collect()
    }
}
