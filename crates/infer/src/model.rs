//! A model of any kind: what turns sound into embeddings.

use ndarray::Array2;

use crate::{
    Encoder, ModelError, Statistics, autoencoder::Autoencoder, foreign::Foreign,
    pooled::PooledConfig,
};

/// A model of one of our kinds, ready.
#[derive(Debug)]
pub enum Model {
    /// A spectrogram pooled over time.
    Pooled(PooledConfig),
    /// Statistics of a spectrogram over time.
    Statistics(Box<Statistics>),
    /// A trained network.
    Network(Box<Encoder>),
    /// One machine's autoencoder. Its scores take the place of an embedding.
    Autoencoder(Box<Autoencoder>),
    /// An encoder that was trained elsewhere.
    Onnx(Box<Foreign>),
}

impl Model {
    /// Embeddings, `[clips, dims]`, of mono waveforms of the rate that the model was made for. A network and an encoder
    /// from elsewhere take one length alone.
    ///
    /// # Errors
    /// [`ModelError`] naming the first waveform that cannot be embedded.
    pub fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        match self {
            Self::Pooled(pooled) => Ok(pooled.embed(waves)?),
            Self::Statistics(statistics) => Ok(statistics.embed(waves)?),
            Self::Network(encoder) => encoder.embed(waves),
            Self::Autoencoder(autoencoder) => Ok(autoencoder.embed(waves)?),
            Self::Onnx(foreign) => Ok(foreign.embed(waves)?),
        }
    }
}
