//! Distance to the mean in units of the covariance.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting};
use crate::{
    Distance, ScoreError,
    linalg::{Whitening, ledoit_wolf, mean},
    space::{Space, within_domains},
};

/// Mahalanobis distance to the mean of the nearest domain.
///
/// Covariances are shrunk by Ledoit and Wolf's amount, so that fewer clips than dimensions do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MahalanobisConfig {
    /// Whose covariance measures the distance.
    pub covariance: CovarianceOf,
    /// Where the Gaussian lies: cosine brings embeddings to unit length first; the other
    /// distances give all the same.
    pub distance: Distance,
}

/// Whose covariance measures a distance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CovarianceOf {
    /// One for both domains, of the deviations from the own domain's mean: a few target clips
    /// need not say more than where their mean lies.
    #[default]
    Both,
    /// Each domain its own, as the challenge's selective Mahalanobis baseline has it.
    Each,
}

/// One Gaussian per domain, and where they lie.
#[derive(Debug)]
struct Gaussians {
    space: Arc<Space>,
    of_domains: Vec<Whitening>,
}

impl BackendKind for MahalanobisConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let points = fitting.points.mapv(f64::from);
        let centred = within_domains(&points, &fitting.normals.domains);
        let domains: Vec<Vec<usize>> = [false, true]
            .map(|target| fitting.normals.rows_of(target))
            .into_iter()
            .filter(|rows| !rows.is_empty())
            .collect();
        let gaussian = |rows: Vec<usize>| {
            let covariance = match self.covariance {
                CovarianceOf::Both => ledoit_wolf(centred.view()),
                CovarianceOf::Each => ledoit_wolf(rows_of(&centred, &rows).view()),
            };
            Whitening::new(mean(rows_of(&points, &rows).view()), &covariance)
                .expect("a shrunk covariance is positive definite")
        };
        let of_domains = domains.into_iter().map(gaussian).collect();
        Ok(Box::new(Gaussians { space: fitting.space.clone(), of_domains }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }
}

fn rows_of(points: &Array2<f64>, rows: &[usize]) -> Array2<f64> {
    points.select(Axis(0), rows)
}

impl FittedBackend for Gaussians {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = self.space.map(embeddings);
        let nearest = |point: ArrayView1<f32>| {
            let squared = self.of_domains.iter().map(|gaussian| gaussian.squared_distance(point));
            squared.fold(f64::INFINITY, f64::min).sqrt()
        };
        points.axis_iter(Axis(0)).into_par_iter().map(nearest).collect()
    }
}
