//! Points that stand for normal sound, and the mean distance to the nearest of them.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use super::FittedBackend;
use crate::{neighbors::smallest, space::Space};

/// Points in a backend's space that clips are compared with.
#[derive(Debug, Clone)]
pub(crate) struct Prototypes {
    pub(crate) space: Arc<Space>,
    /// `[points, dims]`.
    pub(crate) points: Array2<f32>,
    /// Nearest ones averaged; at most as many as there are.
    pub(crate) neighbors: usize,
}

impl FittedBackend for Prototypes {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let points = self.space.map(embeddings);
        let found =
            smallest(points.view(), self.points.view(), self.neighbors, |_, _, squared| squared);
        let mean = |near: &Vec<crate::neighbors::Neighbor>| {
            near.iter().map(|neighbor| self.space.distance(neighbor.squared)).sum::<f64>()
                / near.len() as f64
        };
        found.iter().map(mean).collect()
    }
}
