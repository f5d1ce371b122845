//! Distance to the nearest reference, judged by how dense the references lie there.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::Fitting;
use crate::{
    Distance,
    neighbors::{Neighbor, smallest},
    space::Space,
};

/// Densities below this share of the mean one are raised to it: duplicates among the references
/// have no density of their own.
const LEAST_SHARE: f64 = 1e-3;

/// Smallest over references of the distance relative to the reference's own mean distance to its
/// nearest references, so that sparse domains are not held against a clip.
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

/// Each reference's density, fitted.
#[derive(Debug, Clone)]
pub(crate) struct LocalDensity {
    norm: DensityNorm,
    /// Mean distance of each reference to its nearest ones.
    densities: Vec<f64>,
}

impl LocalDensityConfig {
    pub(super) fn fit(&self, fitting: &mut Fitting) -> LocalDensity {
        let others = fitting.points.nrows() - 1;
        let neighbors = fitting.at_most("local-density", "neighbors", self.neighbors, others);
        let key = |query: usize, reference: usize, squared: f64| {
            if query == reference { f64::INFINITY } else { squared }
        };
        let mean = |near: &Vec<Neighbor>| {
            let sum: f64 = near.iter().map(|near| fitting.space.distance(near.squared)).sum();
            sum / near.len().max(1) as f64
        };
        let found = smallest(fitting.points, fitting.points, neighbors, key);
        let mut densities: Vec<f64> = found.iter().map(mean).collect();
        if self.norm == DensityNorm::Ratio {
            raise(&mut densities);
        }
        LocalDensity { norm: self.norm, densities }
    }
}

/// Keeps densities away from zero; where all are zero they become one.
fn raise(densities: &mut [f64]) {
    let mean = densities.iter().sum::<f64>() / densities.len() as f64;
    let least = if mean > 0.0 { LEAST_SHARE * mean } else { 1.0 };
    for density in densities {
        *density = density.max(least);
    }
}

impl LocalDensity {
    pub(crate) fn score(
        &self,
        points: ArrayView2<f32>,
        references: ArrayView2<f32>,
        space: &Space,
    ) -> Vec<f64> {
        let key = |_: usize, reference: usize, squared: f64| match self.norm {
            DensityNorm::Ratio => space.distance(squared) / self.densities[reference],
            DensityNorm::Difference => space.distance(squared) - self.densities[reference],
        };
        smallest(points, references, 1, key).into_iter().map(|near| near[0].key).collect()
    }
}
