//! A recipe: every choice of a run in one TOML file.

use std::num::NonZeroUsize;

use offkey_core::{AuxiliaryTask, Seed, dataset::DEFAULT_HOLDOUT};
use offkey_infer::foreign::ForeignConfig;
use offkey_infer::{
    EncoderConfig, StatisticsConfig,
    autoencoder::AutoencoderConfig,
    pooled::{PooledConfig, Pooling},
};
use offkey_score::{BackendConfig, ThresholdConfig};
use offkey_signal::{ChannelRule, LengthPolicy};
use offkey_train::{LossConfig, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::{
    fusion::{PooledFusion, pooled},
    limits,
    noise::NoiseConfig,
    scoring::Scoring,
};

/// Every choice of a run but its data, seed and device.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_recipe::Recipe;
///
/// let change = "backend.knn.neighbors=2".to_owned();
/// let recipe = Recipe::load("default", &[change])?;
/// assert!(recipe.to_toml().contains("neighbors = 2"));
/// assert_eq!(recipe.clip_shape(), (16_000, 160_000));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// A short name, shown in tables.
    pub name: String,
    /// What the recipe is for, in a sentence.
    #[serde(default)]
    pub description: String,
    /// How recordings become waveforms of one length.
    #[serde(default)]
    pub audio: AudioConfig,
    /// What turns waveforms into embeddings.
    pub model: ModelConfig,
    /// What turns embeddings into anomaly scores.
    pub backend: BackendConfig,
    /// Pooled spectra that score beside the model; none where absent. `fusion = {}` takes the four that a
    /// monitor is learned with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fusion: Option<PooledFusion>,
    /// What turns anomaly scores into decisions: by recordings withheld from training where the recipe
    /// does not say.
    #[serde(default = "held_out")]
    pub threshold: ThresholdConfig,
}

/// How recordings become waveforms of one length.
///
/// ```
/// use offkey_recipe::AudioConfig;
/// use offkey_signal::ChannelRule;
///
/// let near = AudioConfig { channel: Some(ChannelRule::Pick(0)), ..AudioConfig::default() };
/// assert_eq!(near.holdout, AudioConfig::default().holdout);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioConfig {
    /// Which channel of a recording with several: their mean, or one. None: as the data set has it, the first in
    /// sets of 2026, else the mean; a run saves which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelRule>,
    /// What is done with recordings longer or shorter than the encoder's clips.
    pub length: LengthPolicy,
    /// Share of the normal recordings (by group) kept for testing, where the data set has no split.
    pub holdout: f64,
    /// Noise added on purpose, for studies; none in ordinary use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseConfig>,
}

impl Default for AudioConfig {
    fn default() -> Self {
        Self { channel: None, length: LengthPolicy::Loop, holdout: DEFAULT_HOLDOUT, noise: None }
    }
}

/// What turns waveforms into embeddings.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_recipe::{ModelConfig, Recipe};
///
/// let trained = |name: &str| -> Result<bool, offkey_recipe::RecipeError> {
///     let model = Recipe::load(name, &[])?.model;
///     Ok(matches!(model, ModelConfig::Network(_) | ModelConfig::Autoencoder(_)))
/// };
/// assert!(trained("default")? && !trained("fusion")?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelConfig {
    /// A network trained on an auxiliary task.
    Network(Box<NetworkConfig>),
    /// Statistics of a spectrogram over time; nothing is trained.
    Statistics(StatisticsModel),
    /// A spectrogram pooled over time; nothing is trained.
    Pooled(PooledModel),
    /// One autoencoder a machine: the challenge's official baseline.
    Autoencoder(AutoencoderModel),
    /// An encoder that was trained elsewhere, in an ONNX file; nothing is trained here.
    Onnx(Box<ForeignConfig>),
}

/// One autoencoder per machine. Its scores of a clip take the place of an embedding, and the backend
/// `column` chooses among them: 0 is the squared error, 1 our windowed Mahalanobis distance, 2 the
/// official selective Mahalanobis distance.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_recipe::{ModelConfig, Recipe};
///
/// let ModelConfig::Autoencoder(model) = Recipe::load("autoencoder", &[])?.model else {
///     unreachable!("it is the challenge's baseline")
/// };
/// assert_eq!(model.network.log_mel.rate_hz, 16_000);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderModel {
    /// Length clips are brought to, 10 s in DCASE 2020 to 2022.
    #[serde(default = "default_clip_s")]
    pub clip_s: f64,
    /// Architecture, spectrogram and training.
    #[serde(default)]
    pub network: AutoencoderConfig,
}

/// Statistics of a spectrogram over time.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_recipe::{ModelConfig, Recipe};
///
/// let ModelConfig::Statistics(model) = Recipe::load("log-mel-statistics", &[])?.model else {
///     unreachable!("it has statistics")
/// };
/// assert_eq!((model.rate_hz, model.clip_s), (16_000, 10.0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsModel {
    /// Sampling rate clips are brought to; 16,000 in every year of DCASE Task 2.
    #[serde(default = "default_rate_hz")]
    pub rate_hz: u32,
    /// Length clips are brought to, 10 s in DCASE 2020 to 2022.
    #[serde(default = "default_clip_s")]
    pub clip_s: f64,
    /// Which spectrogram.
    pub features: StatisticsConfig,
}

/// A log-mel spectrogram pooled over time.
///
/// ```
/// use offkey_recipe::PooledModel;
///
/// let model = PooledModel { rate_hz: 8_000, ..PooledModel::default() };
/// assert_eq!(model.config().dims(), 128);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PooledModel {
    /// Sampling rate clips are brought to; 16,000 in every year of DCASE Task 2.
    pub rate_hz: u32,
    /// Length clips are brought to, 10 s in DCASE 2020 to 2022.
    pub clip_s: f64,
    /// What is kept of every band.
    pub pooling: Pooling,
}

impl Default for PooledModel {
    fn default() -> Self {
        Self { rate_hz: default_rate_hz(), clip_s: default_clip_s(), pooling: Pooling::default() }
    }
}

impl PooledModel {
    /// What is computed of a clip.
    pub fn config(&self) -> PooledConfig {
        pooled(self.pooling, self.rate_hz)
    }
}

fn held_out() -> ThresholdConfig {
    ThresholdConfig::HeldOut { false_alarms: 0.1, share: 0.1 }
}

fn default_rate_hz() -> u32 {
    EncoderConfig::default().rate_hz
}

fn default_clip_s() -> f64 {
    EncoderConfig::default().clip_s
}

/// A network trained on an auxiliary task.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey_recipe::{ModelConfig, Recipe};
///
/// let ModelConfig::Network(network) = Recipe::load("paper", &[])?.model else {
///     unreachable!("it trains a network")
/// };
/// assert_eq!(network.encoder.branches.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Which of a clip's metadata make its class.
    #[serde(default)]
    pub task: AuxiliaryTask,
    /// Clusters that the clips of a section are dealt to where they name no attributes, or where the
    /// task does not ask for any: operating conditions found by ear, a further level of the classes. Monitors look for
    /// conditions of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_attributes: Option<NonZeroUsize>,
    /// The architecture.
    #[serde(default)]
    pub encoder: EncoderConfig,
    /// The loss.
    pub loss: LossConfig,
    /// The optimiser and its schedule.
    #[serde(default)]
    pub training: TrainConfig,
    /// Networks that are trained, each from a seed of its own. Their embeddings stand side by side, so that the cosine distance of two
    /// clips is the mean of the networks' distances. Each costs a training of its own, and as much again for every clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<NonZeroUsize>,
}

impl NetworkConfig {
    /// How many networks are trained.
    pub fn networks(&self) -> usize {
        self.ensemble.map_or(1, NonZeroUsize::get)
    }

    /// The seeds that the networks of a run or of a model are trained from.
    pub fn seeds(&self, seed: Seed) -> impl Iterator<Item = Seed> {
        let first = seed.child("train");
        (0..self.networks()).map(move |network| match network {
            0 => first,
            further => first.child("ensemble").child(further),
        })
    }
}

/// A recipe that is built in.
///
/// ```
/// use offkey_recipe::BUILT_IN;
///
/// let names: Vec<&str> = BUILT_IN.iter().map(|recipe| recipe.name).collect();
/// assert!(names.contains(&"default"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub toml: &'static str,
}

/// Every built-in recipe.
pub const BUILT_IN: [BuiltIn; 9] = [
    BuiltIn { name: "default", toml: include_str!("../../../recipes/default.toml") },
    BuiltIn { name: "medium", toml: include_str!("../../../recipes/medium.toml") },
    BuiltIn { name: "paper", toml: include_str!("../../../recipes/paper.toml") },
    BuiltIn { name: "small", toml: include_str!("../../../recipes/small.toml") },
    BuiltIn { name: "tiny", toml: include_str!("../../../recipes/tiny.toml") },
    BuiltIn { name: "fusion", toml: include_str!("../../../recipes/fusion.toml") },
    BuiltIn {
        name: "log-mel-statistics",
        toml: include_str!("../../../recipes/log-mel-statistics.toml"),
    },
    BuiltIn {
        name: "spectrogram-statistics",
        toml: include_str!("../../../recipes/spectrogram-statistics.toml"),
    },
    BuiltIn { name: "autoencoder", toml: include_str!("../../../recipes/autoencoder.toml") },
];

impl Recipe {
    /// The recipe as TOML, every default spelled out.
    ///
    /// # Panics
    /// Never: a recipe has string keys only, which TOML can always write.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a recipe has string keys only")
    }

    /// The smallest and the largest number that a recipe may have at a dotted key, as
    /// `model.network.training.mixup`; none where the key takes no number.
    ///
    /// ```
    /// assert_eq!(offkey_recipe::Recipe::range("model.network.training.mixup"), Some((0.0, 1.0)));
    /// ```
    pub fn range(key: &str) -> Option<(f64, f64)> {
        limits::limits(key)
    }

    /// What makes scores and decisions of embeddings.
    pub fn scoring(&self) -> Scoring<'_> {
        Scoring { backend: &self.backend, fusion: self.fusion.as_ref(), threshold: &self.threshold }
    }

    /// The recipe for clips of a rate, a length and a channel that others have decided. A network, an autoencoder
    /// and a foreign encoder keep the rate and length that they are made for.
    #[must_use]
    pub fn for_clips(mut self, rate_hz: u32, clip_s: f64, audio: &AudioConfig) -> Self {
        match &mut self.model {
            ModelConfig::Statistics(model) => {
                (model.rate_hz, model.clip_s) = (rate_hz, clip_s);
                if let StatisticsConfig::LogMel(log_mel) = &mut model.features {
                    log_mel.rate_hz = rate_hz;
                }
            }
            ModelConfig::Pooled(model) => (model.rate_hz, model.clip_s) = (rate_hz, clip_s),
            ModelConfig::Network(_) | ModelConfig::Autoencoder(_) | ModelConfig::Onnx(_) => {}
        }
        self.audio = audio.clone();
        self
    }

    /// Rate in hertz and length in samples of the waveforms the model takes.
    pub fn clip_shape(&self) -> (u32, usize) {
        match &self.model {
            ModelConfig::Network(network) => {
                (network.encoder.rate_hz, network.encoder.clip_samples())
            }
            ModelConfig::Statistics(statistics) => {
                let samples = f64::from(statistics.rate_hz) * statistics.clip_s;
                (statistics.rate_hz, samples.round() as usize)
            }
            ModelConfig::Pooled(pooled) => {
                let samples = f64::from(pooled.rate_hz) * pooled.clip_s;
                (pooled.rate_hz, samples.round() as usize)
            }
            ModelConfig::Autoencoder(autoencoder) => {
                let rate_hz = autoencoder.network.log_mel.rate_hz;
                (rate_hz, (f64::from(rate_hz) * autoencoder.clip_s).round() as usize)
            }
            ModelConfig::Onnx(foreign) => {
                let clip = foreign.clip();
                (clip.rate_hz, clip.samples)
            }
        }
    }
}
