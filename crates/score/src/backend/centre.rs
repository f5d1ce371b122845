//! One-class scoring: the distance to the centre.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting, prototypes::Prototypes};
use crate::{Distance, ScoreError, linalg::mean};

/// Distance to the mean of all references: what compactness losses train for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CentreConfig {
    /// How far embeddings are apart.
    pub distance: Distance,
}

impl BackendKind for CentreConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let centre = mean(fitting.points.mapv(f64::from).view()).mapv(|value| value as f32);
        let points = fitting.space.project(centre.view()).insert_axis(Axis(0));
        Ok(Box::new(Prototypes { space: fitting.space.clone(), points, neighbors: 1 }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }
}
