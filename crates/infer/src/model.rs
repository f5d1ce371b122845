//! A model of any kind: what turns sound into embeddings, loaded from a folder or from inside
//! another file.

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::{
    ClipShape, Compute, Embed, Encoder, ModelError, Statistics, StatisticsConfig,
    autoencoder::{Autoencoder, AutoencoderConfig},
    card,
    weights::{NamedTensors, damaged},
};

/// What stands for the file in errors of a model inside another file.
const IN_MEMORY: &str = "model";
/// Form of the cards of models without a network; another number means another reader.
const FORMAT: u32 = 1;

/// A model of one of our kinds.
#[derive(Debug)]
pub enum Model {
    /// A trained network.
    Network(Box<Encoder>),
    /// Statistics of a spectrogram over time, for clips of this shape.
    Statistics(Statistics, ClipShape),
    /// One machine's autoencoder, for clips of this shape. Its scores take the place of an
    /// embedding.
    Autoencoder(Box<Autoencoder>, ClipShape),
}

/// A model as text and bytes, to be kept inside another file.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelParts {
    /// What the model is, as TOML.
    pub card: String,
    /// Its numbers, as safetensors.
    pub weights: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatisticsCard {
    format: u32,
    clip: ClipShape,
    statistics: StatisticsConfig,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AutoencoderCard {
    format: u32,
    clip: ClipShape,
    autoencoder: AutoencoderConfig,
}

/// What tells the kinds of cards apart: each has its own table.
#[derive(Deserialize)]
struct AnyCard {
    encoder: Option<toml::Table>,
    statistics: Option<toml::Table>,
    autoencoder: Option<toml::Table>,
}

impl Embed for Encoder {
    fn rate_hz(&self) -> u32 {
        self.config().rate_hz
    }

    fn clip_samples(&self) -> usize {
        self.config().clip_samples()
    }

    fn dims(&self) -> usize {
        self.config().dims()
    }

    fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        Self::embed(self, waves)
    }
}

impl Embed for Model {
    fn rate_hz(&self) -> u32 {
        self.clip().rate_hz
    }

    fn clip_samples(&self) -> usize {
        self.clip().samples
    }

    fn dims(&self) -> usize {
        match self {
            Self::Network(encoder) => encoder.config().dims(),
            Self::Statistics(statistics, _) => statistics.dims(),
            Self::Autoencoder(autoencoder, _) => autoencoder.dims(),
        }
    }

    fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, ModelError> {
        match self {
            Self::Network(encoder) => encoder.embed(waves),
            Self::Statistics(statistics, _) => Ok(statistics.embed(waves)?),
            Self::Autoencoder(autoencoder, _) => Ok(autoencoder.embed(waves)?),
        }
    }
}

impl Model {
    /// Rate and length of the waveforms it takes.
    pub fn clip(&self) -> ClipShape {
        match self {
            Self::Network(encoder) => {
                let config = encoder.config();
                ClipShape { rate_hz: config.rate_hz, samples: config.clip_samples() }
            }
            Self::Statistics(_, clip) | Self::Autoencoder(_, clip) => *clip,
        }
    }

    /// The network, where the model is one.
    pub fn encoder(&self) -> Option<&Encoder> {
        match self {
            Self::Network(encoder) => Some(encoder),
            Self::Statistics(..) | Self::Autoencoder(..) => None,
        }
    }

    /// Writes a model folder, which is made if absent.
    ///
    /// # Errors
    /// [`ModelError::Io`] when it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        match self {
            Self::Network(encoder) => {
                card::clear_model(folder)?;
                card::write_model(folder, encoder.card(), encoder.weights())
            }
            Self::Statistics(statistics, _) => statistics.save(folder),
            Self::Autoencoder(autoencoder, _) => autoencoder.save(folder),
        }
    }

    /// Loads the model folder that training or [`Model::save`] wrote, whatever its kind. `clip` is
    /// the shape that clips are brought to; a network has its own.
    ///
    /// # Errors
    /// [`ModelError`] when a file is absent, damaged, or does not fit the others.
    pub fn load(folder: &Path, clip: ClipShape, compute: Compute) -> Result<Self, ModelError> {
        if Statistics::is_in(folder) {
            Ok(Self::Statistics(Statistics::load(folder)?, clip))
        } else if Autoencoder::is_in(folder) {
            Ok(Self::Autoencoder(Box::new(Autoencoder::load(folder)?), clip))
        } else {
            Ok(Self::Network(Box::new(Encoder::load(folder, compute)?)))
        }
    }

    /// The model as text and bytes. Those of a network are the files of its folder.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when they cannot be written in these forms.
    pub fn to_parts(&self) -> Result<ModelParts, ModelError> {
        let name = Path::new(IN_MEMORY);
        let text = |error: toml::ser::Error| damaged(name, &error);
        match self {
            Self::Network(encoder) => {
                let (card, weights) = encoder.to_parts()?;
                Ok(ModelParts { card, weights })
            }
            Self::Statistics(own, clip) => {
                let statistics = own.config().clone();
                let card = StatisticsCard { format: FORMAT, clip: *clip, statistics };
                let card = toml::to_string(&card).map_err(text)?;
                Ok(ModelParts { card, weights: own.tensors().to_bytes(name, None)? })
            }
            Self::Autoencoder(own, clip) => {
                let autoencoder = own.config().clone();
                let card = AutoencoderCard { format: FORMAT, clip: *clip, autoencoder };
                let card = toml::to_string(&card).map_err(text)?;
                Ok(ModelParts { card, weights: own.tensors().to_bytes(name, None)? })
            }
        }
    }

    /// The model that [`Model::to_parts`] took apart.
    ///
    /// # Errors
    /// [`ModelError`] when a part is damaged, or they do not fit each other.
    pub fn from_parts(parts: &ModelParts, compute: Compute) -> Result<Self, ModelError> {
        let name = Path::new(IN_MEMORY);
        let ModelParts { card, weights } = parts;
        let any: AnyCard = toml::from_str(card).map_err(|error| damaged(name, &error))?;
        match any {
            AnyCard { encoder: Some(_), .. } => {
                Ok(Self::Network(Box::new(Encoder::from_parts(card, weights, compute)?)))
            }
            AnyCard { statistics: Some(_), .. } => {
                let card: StatisticsCard =
                    read_card(name, card, |card: &StatisticsCard| card.format)?;
                let (tensors, _) = NamedTensors::from_bytes(name, weights)?;
                let statistics = Statistics::from_tensors(card.statistics, tensors, name)?;
                Ok(Self::Statistics(statistics, card.clip))
            }
            AnyCard { autoencoder: Some(_), .. } => {
                let card: AutoencoderCard =
                    read_card(name, card, |card: &AutoencoderCard| card.format)?;
                let (tensors, _) = NamedTensors::from_bytes(name, weights)?;
                let autoencoder = Autoencoder::from_tensors(card.autoencoder, tensors, name)?;
                Ok(Self::Autoencoder(Box::new(autoencoder), card.clip))
            }
            AnyCard { encoder: None, statistics: None, autoencoder: None } => {
                Err(damaged(name, &"its card names no kind of model"))
            }
        }
    }
}

fn read_card<T: for<'a> Deserialize<'a>>(
    name: &Path,
    text: &str,
    format: impl Fn(&T) -> u32,
) -> Result<T, ModelError> {
    let card: T = toml::from_str(text).map_err(|error| damaged(name, &error))?;
    match format(&card) {
        FORMAT => Ok(card),
        found => Err(damaged(name, &format!("format is {found}, expected {FORMAT}"))),
    }
}
