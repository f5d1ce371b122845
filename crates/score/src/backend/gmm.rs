//! A mixture of Gaussians with full covariances.

use std::{f64::consts::PI, sync::Arc};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting};
use crate::{
    Distance, ScoreError,
    check::{count, within},
    clustering::k_means,
    linalg::Whitening,
    space::Space,
};

/// Rounds of expectation and maximisation at most, and the gain in mean log-likelihood below
/// which they end (scikit-learn's).
const MOST_ROUNDS: usize = 100;
const LEAST_GAIN: f64 = 1e-3;
/// Keeps the weight of a component without clips above zero.
const LEAST_WEIGHT: f64 = 10.0 * f64::EPSILON;

/// Negative log-likelihood of a mixture of Gaussians fitted to all references by expectation
/// maximisation from a k-means start.
///
/// # Source
/// 16 full covariances plus 1e-3 on the diagonal are the authors' settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GmmConfig {
    /// Gaussians (16); fewer where there are fewer clips.
    pub components: usize,
    /// Added to the diagonal of every covariance (1e-3).
    pub regularization: f64,
    /// Where the Gaussians lie: cosine brings embeddings to unit length first.
    pub distance: Distance,
}

impl Default for GmmConfig {
    fn default() -> Self {
        Self { components: 16, regularization: 1e-3, distance: Distance::Cosine }
    }
}

/// A fitted mixture, and where it lies.
#[derive(Debug)]
struct Mixture {
    space: Arc<Space>,
    components: Components,
}

#[derive(Debug, Clone)]
struct Components(Vec<Component>);

#[derive(Debug, Clone)]
struct Component {
    log_weight: f64,
    gaussian: Whitening,
}

impl BackendKind for GmmConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let components = self.mixture(fitting);
        Ok(Box::new(Mixture { space: fitting.space.clone(), components }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn check(&self) -> Result<(), ScoreError> {
        count("components", self.components)?;
        // Less does not keep a covariance of single-precision embeddings positive definite.
        within("regularization", self.regularization, 1e-9..=1e6, "between 1e-9 and 1e6")
    }

    fn is_signed(&self) -> bool {
        true
    }
}

impl GmmConfig {
    fn mixture(&self, fitting: &mut Fitting) -> Components {
        let clips = fitting.points.nrows();
        let components = fitting.at_most("gmm", "components", self.components, clips);
        let seed = fitting.normals.seed.child("gmm");
        let labels = k_means(fitting.points.view(), components, 1, seed).labels;
        let mut shares = Array2::<f64>::zeros((clips, components));
        for (clip, label) in labels.into_iter().enumerate() {
            shares[[clip, label]] = 1.0;
        }
        let points = fitting.points.mapv(f64::from);
        let mut mixture = self.maximise(&points, &shares);
        let mut likelihood = f64::NEG_INFINITY;
        for _ in 0..MOST_ROUNDS {
            let next = mixture.expect(&points, &mut shares);
            mixture = self.maximise(&points, &shares);
            if (next - likelihood).abs() < LEAST_GAIN {
                break;
            }
            likelihood = next;
        }
        mixture
    }

    /// The mixture in which each clip belongs to each component by its share.
    fn maximise(&self, points: &Array2<f64>, shares: &Array2<f64>) -> Components {
        let clips = points.nrows() as f64;
        let component = |share: ArrayView1<f64>| {
            let weight = share.sum() + LEAST_WEIGHT;
            let mean = share.dot(points) / weight;
            let centred = points - &mean;
            let weighted = &centred * &share.insert_axis(Axis(1));
            let mut covariance = weighted.t().dot(&centred) / weight;
            covariance.diag_mut().mapv_inplace(|value| value + self.regularization);
            let gaussian = regularized(mean, covariance, self.regularization);
            Component { log_weight: (weight / clips).ln(), gaussian }
        };
        Components(shares.axis_iter(Axis(1)).into_par_iter().map(component).collect())
    }
}

/// The Gaussian of a covariance that rounding may have made indefinite: its diagonal grows until
/// it is not.
fn regularized(mean: Array1<f64>, mut covariance: Array2<f64>, step: f64) -> Whitening {
    let mut step = step;
    loop {
        if let Some(gaussian) = Whitening::new(mean.clone(), &covariance) {
            return gaussian;
        }
        covariance.diag_mut().mapv_inplace(|value| value + step);
        step *= 10.0;
    }
}

impl FittedBackend for Mixture {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = self.space.map(embeddings);
        let score = |point: ArrayView1<f32>| {
            let densities = self.components.0.iter().map(|component| {
                component.log_density(component.gaussian.squared_distance(point), point.len())
            });
            -log_sum_exp(&densities.collect::<Vec<_>>())
        };
        points.axis_iter(Axis(0)).into_par_iter().map(score).collect()
    }
}

impl Components {
    /// Writes each component's share in each clip; returns the mean log-likelihood.
    fn expect(&self, points: &Array2<f64>, shares: &mut Array2<f64>) -> f64 {
        let densities: Vec<Array1<f64>> = self
            .0
            .par_iter()
            .map(|component| {
                let squared = component.gaussian.squared_distances(points.view());
                squared.mapv(|squared| component.log_density(squared, points.ncols()))
            })
            .collect();
        let mut total = 0.0;
        for (clip, mut share) in shares.rows_mut().into_iter().enumerate() {
            let of_clip: Vec<f64> = densities.iter().map(|density| density[clip]).collect();
            let likelihood = log_sum_exp(&of_clip);
            total += likelihood;
            for (share, density) in share.iter_mut().zip(of_clip) {
                *share = (density - likelihood).exp();
            }
        }
        total / points.nrows() as f64
    }
}

impl Component {
    fn log_density(&self, squared_distance: f64, dims: usize) -> f64 {
        let constant = dims as f64 * (2.0 * PI).ln() + self.gaussian.log_determinant;
        self.log_weight - 0.5 * (constant + squared_distance)
    }
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    highest + values.iter().map(|value| (value - highest).exp()).sum::<f64>().ln()
}
