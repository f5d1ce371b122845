//! Distance to the mean in units of the covariance.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Fitting;
use crate::{
    Distance,
    linalg::{Whitening, ledoit_wolf, mean},
    space::within_domains,
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

/// One Gaussian a domain.
#[derive(Debug, Clone)]
pub(crate) struct Gaussians(Vec<Whitening>);

impl MahalanobisConfig {
    pub(super) fn fit(self, fitting: &Fitting) -> Gaussians {
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
        Gaussians(domains.into_iter().map(gaussian).collect())
    }
}

fn rows_of(points: &Array2<f64>, rows: &[usize]) -> Array2<f64> {
    points.select(Axis(0), rows)
}

impl Gaussians {
    pub(crate) fn score(&self, points: ArrayView2<f32>) -> Vec<f64> {
        let nearest = |point: ndarray::ArrayView1<f32>| {
            let squared = self.0.iter().map(|gaussian| gaussian.squared_distance(point));
            squared.fold(f64::INFINITY, f64::min).sqrt()
        };
        points.axis_iter(Axis(0)).into_par_iter().map(nearest).collect()
    }
}
