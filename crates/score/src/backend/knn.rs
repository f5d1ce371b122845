//! Nearest neighbours among all references.

use serde::{Deserialize, Serialize};

use super::{Fitting, prototypes::Prototypes};
use crate::{Distance, neighbors::smallest, normals::Normals, space::Space};

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

impl KnnConfig {
    pub(super) fn fit(&self, fitting: &mut Fitting) -> Prototypes {
        let clips = fitting.points.nrows();
        let neighbors = fitting.at_most("knn", "neighbors", self.neighbors, clips);
        Prototypes { points: fitting.points.to_owned(), neighbors }
    }

    /// Scores of the references, each without its own recording. None where the distance itself
    /// is fitted to them, or where there is only one clip.
    pub(super) fn leave_one_out(&self, normals: &Normals) -> Option<Vec<f64>> {
        let space = match self.distance {
            Distance::Cosine | Distance::Euclidean => Space::fit(self.distance, normals),
            Distance::Standardized | Distance::Whitened => return None,
        };
        if normals.clips() < 2 {
            return None;
        }
        let points = space.map(normals.embeddings.view());
        let units = normals.units();
        let key = |query: usize, reference: usize, squared: f64| {
            if units[query] == units[reference] { f64::INFINITY } else { squared }
        };
        let found = smallest(points.view(), points.view(), self.neighbors, key);
        let mean = |near: &Vec<crate::neighbors::Neighbor>| {
            near.iter().map(|neighbor| space.distance(neighbor.squared)).sum::<f64>()
                / near.len() as f64
        };
        Some(found.iter().map(mean).collect())
    }
}
