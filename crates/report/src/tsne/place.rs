//! New points on a finished map.

use ndarray::ArrayView2;
use offkey_core::stats;
use rayon::prelude::*;

use super::{
    affinity::conditional,
    barnes_hut::Tree,
    config::{Distance, Point},
    descent::Mover,
    neighbors::{nearest, neighbor_count},
};

/// Perplexity of a new point: it only needs to find its neighbourhood (Poličar et al. 2019).
const PERPLEXITY: f64 = 5.0;
/// Steps until a new point rests.
const STEPS: usize = 250;
/// Step size per unit of a point's own divergence.
const STEP_SIZE: f32 = 0.1;
/// Longest way in one step, on the map.
const LARGEST_STEP: f32 = 0.25;
/// Cell width over distance; finer than while fitting, since few points are placed.
const THETA: f32 = 0.3;

/// Places each point at the spot that explains its nearest fitted points best, starting from
/// their median.
pub(crate) fn place(
    points: ArrayView2<f32>,
    reference: ArrayView2<f32>,
    distance: Distance,
    fitted: &[Point],
) -> Vec<Point> {
    if points.nrows() == 0 {
        return Vec::new();
    }
    let perplexity = PERPLEXITY.min(reference.nrows() as f64 / 3.0);
    let count = neighbor_count(perplexity, reference.nrows());
    let neighbors = nearest(points, reference, distance, count, false);
    let affinities = conditional(&neighbors, perplexity);
    let tree = Tree::new(fitted);
    (0..points.nrows())
        .into_par_iter()
        .map_init(Vec::new, |sources, point| {
            let (indices, _) = neighbors.of(point);
            let shares = &affinities.shares[point * count..(point + 1) * count];
            let anchors: Vec<Point> = indices.iter().map(|&i| fitted[i as usize]).collect();
            let mut at = median(&anchors);
            let mut mover = Mover::default();
            for _ in 0..STEPS {
                let (push, normaliser) = tree.repulsion_at(at, THETA, sources);
                let mut slope = push.map(|force| -force / normaliser.max(f64::MIN_POSITIVE) as f32);
                for (anchor, &share) in anchors.iter().zip(shares) {
                    let (dx, dy) = (at[0] - anchor[0], at[1] - anchor[1]);
                    let weight = share as f32 / (1.0 + dx * dx + dy * dy);
                    slope[0] += weight * dx;
                    slope[1] += weight * dy;
                }
                mover.step(&mut at, slope, STEP_SIZE, LARGEST_STEP);
            }
            at
        })
        .collect()
}

/// Median of each coordinate: one stray neighbour does not move it.
fn median(points: &[Point]) -> Point {
    [0, 1].map(|axis| {
        let values = points.iter().map(|point| f64::from(point[axis]));
        stats::median(values).expect("an anchor has neighbours") as f32
    })
}
