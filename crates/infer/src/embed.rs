//! What every model can do: turn sound of one rate and length into embeddings.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// Turns sound into embeddings. Models from outside of this crate implement it too.
pub trait Embed: std::fmt::Debug + Send + Sync {
    /// Sampling rate of the waveforms, in hertz.
    fn rate_hz(&self) -> u32;

    /// Samples of every waveform.
    fn clip_samples(&self) -> usize;

    /// Length of an embedding.
    fn dims(&self) -> usize;

    /// Embeddings, `[clips, dims]`, of mono waveforms of [`Embed::clip_samples`] samples.
    ///
    /// # Errors
    /// [`ModelError`] naming the first waveform that cannot be embedded.
    fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError>;
}

/// Rate and length of the waveforms that a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipShape {
    /// Sampling rate in hertz.
    pub rate_hz: u32,
    /// Samples of a clip.
    pub samples: usize,
}
