//! Nearest neighbours, one for each frequency band.

use serde::{Deserialize, Serialize};

use super::{
    BackendKind, FittedBackend, Fitting,
    bands::{Bands, Layout},
};
use crate::{Distance, ScoreError};

/// Mean over frequency bands of the distance to the nearest reference of each band: a clip may
/// resemble one reference in its low bands and another in its high ones.
///
/// # Source
/// Sub-band matching (BEAM): source and target in one memory, cosine, plain mean. The number of
/// bands is our choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubBandConfig {
    /// Bands (4), of equally many dimensions but for rounding; fewer where a spectrum is shorter.
    pub bands: usize,
    /// Spectra that an embedding holds one after another (1): 2 for mean and deviation.
    pub spectra: usize,
    /// How far embeddings are apart within a band.
    pub distance: Distance,
}

impl Default for SubBandConfig {
    fn default() -> Self {
        Self { bands: 4, spectra: 1, distance: Distance::Cosine }
    }
}

impl SubBandConfig {
    fn layout(&self) -> Layout {
        Layout { bands: self.bands, spectra: self.spectra }
    }
}

impl BackendKind for SubBandConfig {
    fn fit(&self, fitting: &mut Fitting) -> Result<Box<dyn FittedBackend>, ScoreError> {
        Ok(Box::new(Bands(self.layout().fit("sub-band", self.distance, fitting))))
    }

    fn distance(&self) -> Distance {
        self.distance
    }

    fn set_distance(&mut self, distance: Distance) {
        self.distance = distance;
    }

    fn check(&self) -> Result<(), ScoreError> {
        self.layout().check()
    }

    fn check_dims(&self, dims: usize) -> Result<(), ScoreError> {
        self.layout().check_dims(dims)
    }
}
