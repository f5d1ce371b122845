//! What a model file says of the members of its detector.

use offkey_infer::{
    Statistics, autoencoder::AutoencoderConfig, foreign::ForeignConfig, pooled::PooledConfig,
};
use offkey_score::BackendConfig;
use serde::{Deserialize, Serialize};

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
    /// A spectrogram pooled over time.
    Pooled(PooledConfig),
    /// Standardised statistics of a spectrogram.
    Statistics(Box<Statistics>),
    /// A network: the card of its encoder. Its weights are arrays of the file.
    Network(String),
    /// An autoencoder of this machine. Its weights are arrays of the file.
    Autoencoder(Box<AutoencoderConfig>),
    /// An encoder that was trained elsewhere. The ONNX file is an array of the file.
    Onnx(Box<ForeignConfig>),
}
