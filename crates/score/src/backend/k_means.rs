//! The paper's backend: k-means of the source references, target references as they are.

use ndarray::{Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting, prototypes::Prototypes};
use crate::{
    Distance, ScoreError,
    check::{count, within},
    clustering::k_means,
};

/// Distance to the nearest of a few source means and of all target references.
///
/// References of unknown domain count as source.
///
/// # Source
/// The authors' system: 16 means by k-means++ with 10 restarts, target references kept because
/// they are too few to average.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KMeansConfig {
    /// Means fitted to the source references (16); fewer where there are fewer clips.
    pub means: usize,
    /// Starts, of which the one of smallest inertia is kept (10).
    pub restarts: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

impl Default for KMeansConfig {
    fn default() -> Self {
        Self { means: 16, restarts: 10, distance: Distance::Cosine }
    }
}

impl BackendKind for KMeansConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let space = fitting.space.clone();
        let targets = fitting.points.select(Axis(0), &fitting.normals.rows_of(true));
        let sources = fitting.points.select(Axis(0), &fitting.normals.rows_of(false));
        if sources.is_empty() {
            return Ok(Box::new(Prototypes { space, points: targets, neighbors: 1 }));
        }
        let means = fitting.at_most("k-means", "means", self.means, sources.nrows());
        let seed = fitting.normals.seed.child("k-means");
        let mut centres = k_means(sources.view(), means, self.restarts, seed).centres;
        for mut centre in centres.rows_mut() {
            let projected = fitting.space.project(centre.view());
            centre.assign(&projected);
        }
        let points = concatenate(Axis(0), &[centres.view(), targets.view()])
            .expect("both have the references' dimensions");
        Ok(Box::new(Prototypes { space, points, neighbors: 1 }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn check(&self) -> Result<(), ScoreError> {
        count("means", self.means)?;
        within("restarts", self.restarts as f64, 1.0..=1000.0, "between 1 and 1000")
    }
}
