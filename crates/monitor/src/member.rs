//! The members of a monitor's detector: models that turn a window into a vector.

use ndarray::{Array2, ArrayView1, Axis};
use offkey_infer::{Encoder, Statistics};
use offkey_score::BackendConfig;
use serde::{Deserialize, Serialize};

use crate::{MonitorError, Pooling, WindowRule, pooled::log_mel, profile::level_db};

/// One member: what it is called, what makes its vectors, what compares them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberCard {
    /// What the member is called, in reasons too.
    pub name: String,
    /// What makes its vectors.
    pub model: ModelCard,
    /// What compares them.
    pub backend: BackendConfig,
}

/// What a model file says of a member's model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelCard {
    /// Spectra summed up over time.
    Pooled(Pooling),
    /// Standardised statistics of a spectrogram.
    Statistics(Box<Statistics>),
    /// A network: the card of its encoder. Its weights are arrays of the file.
    Network(String),
}

/// A member's model, ready.
pub enum Model {
    /// Spectra summed up over time.
    Pooled(Pooling),
    /// Standardised statistics of a spectrogram.
    Statistics(Box<Statistics>),
    /// A network.
    Network(Box<Encoder>),
}

impl Model {
    /// The vector of one window; `log_mel` is its spectrogram.
    fn embed(&self, window: &[f32], log_mel: &Array2<f32>) -> Result<Vec<f32>, MonitorError> {
        let row = |rows: Array2<f32>| rows.into_raw_vec_and_offset().0;
        match self {
            Self::Pooled(pooling) => Ok(pooling.of(log_mel)),
            Self::Statistics(statistics) => {
                statistics.embed(&[window.to_vec()]).map(row).map_err(MonitorError::embed)
            }
            Self::Network(encoder) => {
                encoder.embed(&[window.to_vec()]).map(row).map_err(MonitorError::embed)
            }
        }
    }
}

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
        let log_mel = log_mel(rule.rate_hz, window).map_err(MonitorError::embed)?;
        let vectors: Result<Vec<_>, _> =
            models.iter().map(|model| model.embed(window, &log_mel)).collect();
        Ok(Self {
            vectors: vectors?,
            spectrum: Pooling::Mean.of(&log_mel),
            level_db: level_db(window),
        })
    }
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
        if self.embeddings.is_empty() {
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
