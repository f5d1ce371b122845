//! The members of a monitor's detector: models that turn a window into a vector.

use ndarray::{Array2, ArrayView1, Axis};
use offkey_infer::{
    Model, ModelError,
    pooled::{PooledConfig, Pooling, Spectrogram, embed_pooled},
};
use offkey_signal::{FloorRule, LogMel};

use crate::{MonitorError, WindowRule, profile::level_db};

/// One window as the members hear it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardWindow {
    /// One vector per member.
    pub vectors: Vec<Vec<f32>>,
    /// Mean level of each mel band, in decibels.
    pub spectrum: Vec<f32>,
    /// Level in decibels relative to full scale.
    pub level_db: f32,
}

impl HeardWindow {
    /// Listens to a window.
    ///
    /// # Errors
    /// [`MonitorError::Embed`] when the window is too short, or not as long as a network needs.
    pub fn of(models: &[Model], rule: WindowRule, window: &[f32]) -> Result<Self, MonitorError> {
        let windows = [window.to_vec()];
        // The profile's spectrum first, then those of the members; each spectrogram is made once.
        let mut pooled = vec![profile_spectrum(rule.rate_hz)];
        pooled.extend(models.iter().filter_map(|model| match model {
            Model::Pooled(config) => Some(config.clone()),
            Model::Statistics(_) | Model::Network(_) | Model::Autoencoder(_) | Model::Onnx(_) => {
                None
            }
        }));
        let rows = embed_pooled(&pooled, &windows).map_err(ModelError::from)?;
        let mut rows = rows.into_iter().map(row);
        let spectrum = rows.next().unwrap_or_default();
        let vectors = models.iter().map(|model| match model {
            Model::Pooled(_) => Ok(rows.next().unwrap_or_default()),
            Model::Statistics(_) | Model::Network(_) | Model::Autoencoder(_) | Model::Onnx(_) => {
                model.embed(&windows).map(row)
            }
        });
        let vectors = vectors.collect::<Result<_, ModelError>>()?;
        Ok(Self { vectors, spectrum, level_db: level_db(window) })
    }
}

/// The spectrum that a profile compares: the mean level of each of 128 mel bands.
pub(crate) fn profile_spectrum(rate_hz: u32) -> PooledConfig {
    let log_mel = LogMel { rate_hz, floor_rule: FloorRule::Add, ..LogMel::default() };
    PooledConfig { spectrogram: Spectrogram::LogMel(log_mel), pooling: Pooling::Mean }
}

/// The only row of an array.
fn row(rows: Array2<f32>) -> Vec<f32> {
    rows.into_raw_vec_and_offset().0
}

/// Windows as the members hear them, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// One array per member, `[windows, dims]`.
    pub embeddings: Vec<Array2<f32>>,
    /// Mean level of each mel band, one row per window.
    pub spectra: Vec<Vec<f32>>,
    /// Level of each window, in decibels relative to full scale.
    pub levels: Vec<f32>,
}

impl Heard {
    /// Adds a window.
    pub fn push(&mut self, window: HeardWindow) {
        let HeardWindow { vectors, spectrum, level_db } = window;
        if self.embeddings.is_empty() {
            self.embeddings = vectors.iter().map(|v| Array2::zeros((0, v.len()))).collect();
        }
        for (rows, vector) in self.embeddings.iter_mut().zip(&vectors) {
            rows.push(Axis(0), ArrayView1::from(vector))
                .expect("vectors of one model have equal length");
        }
        self.spectra.push(spectrum);
        self.levels.push(level_db);
    }

    /// Adds the windows of another.
    pub fn extend(&mut self, other: Self) {
        if self.embeddings.is_empty() && self.levels.is_empty() {
            *self = other;
            return;
        }
        for (rows, new) in self.embeddings.iter_mut().zip(&other.embeddings) {
            rows.append(Axis(0), new.view()).expect("vectors of one model have equal length");
        }
        self.spectra.extend(other.spectra);
        self.levels.extend(other.levels);
    }

    /// Some of the windows, by their places.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let embeddings = self.embeddings.iter().map(|all| all.select(Axis(0), rows)).collect();
        Self { embeddings, spectra: Vec::new(), levels: Vec::new() }
    }

    /// Number of windows.
    pub fn len(&self) -> usize {
        self.embeddings.first().map_or(0, Array2::nrows)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
