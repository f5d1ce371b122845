//! First positions: the two main components, made tiny.

use ndarray::{Array1, ArrayView2, Axis};
use offkey_core::{Seed, stats::main_direction};
use rand::RngExt;

use super::config::Point;

/// Standard deviation of the first positions along the main component (Kobak and Berens).
const SPREAD: f64 = 1e-4;
/// Random offset of each position, as a share of [`SPREAD`], so that equal points can part.
const JITTER: f64 = 0.01;

/// Projections onto the two main components, scaled to a small spread.
pub(crate) fn initial_positions(points: ArrayView2<f32>, seed: Seed) -> Vec<Point> {
    let mean = points.mean_axis(Axis(0)).expect("at least one point");
    let centered = &points - &mean;
    let covariance = centered.t().dot(&centered).mapv(f64::from);
    let first = main_direction(&covariance, None, seed.child("pca").child(0));
    let second = main_direction(&covariance, Some(&first), seed.child("pca").child(1));
    let project = |direction: &Array1<f64>| centered.dot(&direction.mapv(|v| v as f32));
    let (across, up) = (project(&first), project(&second));
    let variance = across.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / across.len() as f64;
    let scale = if variance > 0.0 { SPREAD / variance.sqrt() } else { 0.0 };
    let mut rng = seed.child("jitter").rng();
    let mut place = |value: f32| {
        let jitter = rng.random_range(-JITTER..JITTER) * SPREAD;
        (f64::from(value) * scale + jitter) as f32
    };
    across.iter().zip(&up).map(|(&x, &y)| [place(x), place(y)]).collect()
}
