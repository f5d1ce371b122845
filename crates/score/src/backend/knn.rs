//! Nearest neighbours among all references.

use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting, prototypes::Prototypes};
use crate::{
    Distance, ScoreError,
    check::count,
    neighbors::{Neighbor, smallest},
};

/// Mean distance to the nearest references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnConfig {
    /// Nearest references averaged (1); fewer where there are fewer clips.
    pub neighbors: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { neighbors: 1, distance: Distance::Cosine }
    }
}

impl BackendKind for KnnConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let clips = fitting.points.nrows();
        let neighbors = fitting.at_most("knn", "neighbors", self.neighbors, clips);
        let (space, points) = (fitting.space.clone(), fitting.points.clone());
        Ok(Box::new(Prototypes { space, points, neighbors }))
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

    /// None where the distance itself is fitted to the references, or where one label is all.
    fn leave_out(&self, fitting: &Fitting, labels: &[usize]) -> Option<Vec<f64>> {
        match self.distance {
            Distance::Cosine | Distance::Euclidean => {}
            Distance::Standardized | Distance::Whitened => return None,
        }
        if labels.iter().all(|label| label == &labels[0]) {
            return None;
        }
        let points = fitting.points.view();
        let key = |query: usize, reference: usize, squared: f64| {
            if labels[query] == labels[reference] { f64::INFINITY } else { squared }
        };
        let found = smallest(points, points, self.neighbors, key);
        let mean = |near: &Vec<Neighbor>| {
            near.iter().map(|neighbor| fitting.space.distance(neighbor.squared)).sum::<f64>()
                / near.len() as f64
        };
        Some(found.iter().map(mean).collect())
    }
}
