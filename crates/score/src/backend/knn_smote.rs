//! Nearest neighbours, with the few target references multiplied.

use ndarray::{Array1, Array2, Axis, concatenate};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting, prototypes::Prototypes};
use crate::{
    Distance, ScoreError,
    check::{count, within},
    neighbors::smallest,
};

/// As [`KnnConfig`](super::KnnConfig), after target references are multiplied by points at random
/// places on the lines between them and their neighbours.
///
/// # Source
/// SMOTE, Chawla et al. 2002. The shares are our choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnSmoteConfig {
    /// Nearest references averaged (1).
    pub neighbors: usize,
    /// Target references wanted, as a share of the source references (0.2).
    pub target_share: f64,
    /// Nearest target references that a synthetic one may lie towards (2).
    pub smote_neighbors: usize,
    /// How far embeddings are apart.
    pub distance: Distance,
}

impl Default for KnnSmoteConfig {
    fn default() -> Self {
        Self { neighbors: 1, target_share: 0.2, smote_neighbors: 2, distance: Distance::Cosine }
    }
}

impl BackendKind for KnnSmoteConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let targets = fitting.points.select(Axis(0), &fitting.normals.rows_of(true));
        let sources = fitting.points.nrows() - targets.nrows();
        let wanted = (self.target_share * sources as f64).ceil() as usize;
        let synthetic = self.interpolate(fitting, &targets, wanted.saturating_sub(targets.nrows()));
        let points = concatenate(Axis(0), &[fitting.points.view(), synthetic.view()])
            .expect("both have the references' dimensions");
        let neighbors = fitting.at_most("knn-smote", "neighbors", self.neighbors, points.nrows());
        Ok(Box::new(Prototypes { space: fitting.space.clone(), points, neighbors }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn check(&self) -> Result<(), ScoreError> {
        count("neighbors", self.neighbors)?;
        count("smote_neighbors", self.smote_neighbors)?;
        within("target_share", self.target_share, 0.0..=10.0, "a share from 0 to 10")
    }
}

impl KnnSmoteConfig {
    fn interpolate(&self, fitting: &Fitting, targets: &Array2<f32>, wanted: usize) -> Array2<f32> {
        if targets.nrows() < 2 {
            return Array2::zeros((0, fitting.points.ncols()));
        }
        let key = |query: usize, reference: usize, squared: f64| {
            if query == reference { f64::INFINITY } else { squared }
        };
        let neighbors = smallest(targets.view(), targets.view(), self.smote_neighbors, key);
        let mut rng = fitting.normals.seed.child("smote").rng();
        let mut synthetic = Array2::zeros((wanted, targets.ncols()));
        for (index, mut point) in synthetic.rows_mut().into_iter().enumerate() {
            let from = index % targets.nrows();
            let near = &neighbors[from];
            let to = near[rng.random_range(0..near.len())].reference;
            let share = rng.random::<f32>();
            let between: Array1<f32> =
                &targets.row(from) * (1.0 - share) + &targets.row(to) * share;
            point.assign(&fitting.space.project(between.view()));
        }
        synthetic
    }
}
