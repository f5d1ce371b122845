//! One-class scoring: the distance to the centre.

use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::{Fitting, prototypes::Prototypes};
use crate::{Distance, linalg::mean};

/// Distance to the mean of all references: what compactness losses train for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CentreConfig {
    /// How far embeddings are apart.
    pub distance: Distance,
}

pub(super) fn fit(fitting: &Fitting) -> Prototypes {
    let centre = mean(fitting.points.mapv(f64::from).view()).mapv(|value| value as f32);
    let points = fitting.space.project(centre.view()).insert_axis(Axis(0));
    Prototypes { points, neighbors: 1 }
}
