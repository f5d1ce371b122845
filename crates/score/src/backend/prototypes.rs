//! Points that stand for normal sound, and the mean distance to the nearest of them.

use ndarray::{Array2, ArrayView2};

use crate::{neighbors::smallest, space::Space};

/// Points in a backend's space that clips are compared with.
#[derive(Debug, Clone)]
pub(crate) struct Prototypes {
    /// `[points, dims]`.
    pub(crate) points: Array2<f32>,
    /// Nearest ones averaged; at most as many as there are.
    pub(crate) neighbors: usize,
}

impl Prototypes {
    pub(crate) fn score(&self, points: ArrayView2<f32>, space: &Space) -> Vec<f64> {
        let found = smallest(points, self.points.view(), self.neighbors, |_, _, squared| squared);
        let mean = |near: &Vec<crate::neighbors::Neighbor>| {
            near.iter().map(|neighbor| space.distance(neighbor.squared)).sum::<f64>()
                / near.len() as f64
        };
        found.iter().map(mean).collect()
    }
}
