//! Nearness to a few known faults, beside distance to normal sound.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{BackendKind, FittedBackend, Fitting, prototypes::Prototypes};
use crate::{Distance, ScoreError, check::within};

/// Distance to the nearest reference, divided by the distance to the nearest known fault.
///
/// The faults are fixed: nothing of them is fitted. So a bound that holds for normal clips goes on to
/// hold. Without any fault it is the distance to the nearest reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnownFaultsConfig {
    /// Embeddings of known faults, each as long as a reference's.
    pub faults: Vec<Vec<f32>>,
    /// How far embeddings are apart.
    pub distance: Distance,
    /// Least deviation that a dimension is divided by where the distance is standardised (0.3: decibels of
    /// a log-mel spectrogram).
    pub floor: f64,
}

impl Default for KnownFaultsConfig {
    fn default() -> Self {
        Self { faults: Vec::new(), distance: Distance::Standardized, floor: 0.3 }
    }
}

/// Faults at most: each is compared with every clip.
pub const MOST_FAULTS: usize = 1000;
/// Nearer than this to a fault is the fault.
const NEAREST: f64 = 1e-6;

#[derive(Debug)]
struct KnownFaults {
    normal: Prototypes,
    /// None where no fault is known.
    faults: Option<Prototypes>,
}

impl BackendKind for KnownFaultsConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        let nearest_of = |points: Array2<f32>| Prototypes {
            space: Arc::clone(&fitting.space),
            points,
            neighbors: 1,
        };
        let mut faults = Array2::zeros((0, fitting.points.ncols()));
        for fault in &self.faults {
            let row = ArrayView2::from_shape((1, fault.len()), fault).expect("one row");
            let row = fitting.space.map(row);
            faults.append(Axis(0), row.view()).expect("lengths were checked");
        }
        let faults = (faults.nrows() > 0).then(|| nearest_of(faults));
        Ok(Box::new(KnownFaults { normal: nearest_of(fitting.points.clone()), faults }))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn least_deviation(&self) -> f64 {
        self.floor
    }

    fn check(&self) -> Result<(), ScoreError> {
        within("floor", self.floor, 1e-6..=1e6, "between 1e-6 and 1e6")?;
        let most = MOST_FAULTS as f64;
        within("known faults", self.faults.len() as f64, 0.0..=most, "at most 1000")?;
        let finite = self.faults.iter().flatten().all(|value| value.is_finite());
        within(
            "numbers of known faults that are finite",
            f64::from(finite),
            1.0..=1.0,
            "all of them",
        )
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        match self.faults.iter().find(|fault| fault.len() != dims) {
            None => Ok(()),
            Some(fault) => {
                let (setting, found) = ("length of a known fault", fault.len() as f64);
                let expected = "as many numbers as a reference has";
                Err(ScoreError::Setting { setting, found, expected })
            }
        }
    }
}

impl FittedBackend for KnownFaults {
    fn score(&self, embeddings: ArrayView2<f32>) -> Vec<f64> {
        let normal = self.normal.score(embeddings);
        let Some(faults) = &self.faults else { return normal };
        let of_faults = faults.score(embeddings);
        normal
            .into_iter()
            .zip(of_faults)
            .map(|(normal, fault)| normal / fault.max(NEAREST))
            .collect()
    }
}
