//! A recipe: every choice of a run in one TOML file.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use offkey_core::{AuxiliaryTask, dataset::DEFAULT_HOLDOUT};
use offkey_embed::{
    EncoderConfig, LossConfig, StatisticsConfig, TrainConfig, autoencoder::AutoencoderConfig,
};
use offkey_score::{BackendConfig, ThresholdConfig};
use offkey_signal::{ChannelRule, LengthPolicy};
use serde::{Deserialize, Serialize};

use crate::noise::NoiseConfig;

/// Every choice of a run but its data, seed and device.
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
    /// What turns anomaly scores into decisions.
    #[serde(default)]
    pub threshold: ThresholdConfig,
}

/// How recordings become waveforms of one length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioConfig {
    /// Which channel of a recording with several: their mean, or one.
    pub channel: ChannelRule,
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
        Self {
            channel: ChannelRule::Mix,
            length: LengthPolicy::Loop,
            holdout: DEFAULT_HOLDOUT,
            noise: None,
        }
    }
}

/// What turns waveforms into embeddings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelConfig {
    /// A network trained on an auxiliary task.
    Network(Box<NetworkConfig>),
    /// Statistics of a spectrogram over time; nothing is trained.
    Statistics(StatisticsModel),
    /// One autoencoder a machine: the challenge's official baseline.
    Autoencoder(AutoencoderModel),
}

/// One autoencoder a machine. Its two scores of a clip, squared error and selective Mahalanobis
/// distance, take the place of an embedding; the backend `column` chooses between them.
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

fn default_rate_hz() -> u32 {
    EncoderConfig::default().rate_hz
}

fn default_clip_s() -> f64 {
    EncoderConfig::default().clip_s
}

/// A network trained on an auxiliary task.
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
}

/// A recipe that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub toml: &'static str,
}

/// Every built-in recipe.
pub const BUILT_IN: [BuiltIn; 8] = [
    BuiltIn { name: "default", toml: include_str!("../../../recipes/default.toml") },
    BuiltIn { name: "medium", toml: include_str!("../../../recipes/medium.toml") },
    BuiltIn { name: "paper", toml: include_str!("../../../recipes/paper.toml") },
    BuiltIn { name: "small", toml: include_str!("../../../recipes/small.toml") },
    BuiltIn { name: "tiny", toml: include_str!("../../../recipes/tiny.toml") },
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

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Neither a built-in name nor a file.
    #[error("no recipe `{name}`: there is no such file, and the built-in ones are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The built-in names.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read recipe `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The text is not a recipe.
    #[error("recipe `{name}` is not valid")]
    Invalid {
        /// The recipe's name or file.
        name: String,
        /// The cause, with its line.
        source: Box<toml::de::Error>,
    },
    /// An autoencoder's scores would be compared as if they were embeddings.
    #[error(
        "recipe `{name}` scores an autoencoder by backend `{backend}`, expected `column`, 0 or 1: its scores are no embeddings to compare"
    )]
    Backend {
        /// The recipe's name or file.
        name: String,
        /// Its backend.
        backend: &'static str,
    },
    /// An override is not `key=value`.
    #[error("cannot apply `{text}`, expected `key=value` as in `model.network.training.epochs=20`")]
    Override {
        /// What was given.
        text: String,
    },
    /// An override's key leads nowhere.
    #[error("cannot set `{key}`: `{part}` is not a table of the recipe")]
    OverridePath {
        /// The whole key.
        key: String,
        /// The part that is no table.
        part: String,
    },
}

impl Recipe {
    /// Finds a recipe by built-in name or file, and changes single values of it.
    ///
    /// `overrides` are `dotted.key=value`, values in TOML's syntax; a bare word is a string. A key
    /// that names an alternative (`backend.knn={neighbors=2}`) takes the place of the one before.
    ///
    /// # Errors
    /// [`RecipeError`], with the line for errors in a file.
    pub fn load(name: &str, overrides: &[String]) -> Result<Self, RecipeError> {
        let text = match BUILT_IN.iter().find(|recipe| recipe.name == name) {
            Some(recipe) => recipe.toml.to_owned(),
            None => read(name)?,
        };
        Self::parse(name, &text, overrides)
    }

    /// Reads the resolved recipe of a run.
    ///
    /// # Errors
    /// [`RecipeError`] when it is absent or not valid.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|source| RecipeError::Io { path: path.to_owned(), source })?;
        Self::parse(&name, &text, &[])
    }

    /// The recipe as TOML, every default spelled out.
    ///
    /// # Panics
    /// Never: a recipe has string keys only, which TOML can always write.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a recipe has string keys only")
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
            ModelConfig::Autoencoder(autoencoder) => {
                let rate_hz = autoencoder.network.log_mel.rate_hz;
                (rate_hz, (f64::from(rate_hz) * autoencoder.clip_s).round() as usize)
            }
        }
    }

    fn parse(name: &str, text: &str, overrides: &[String]) -> Result<Self, RecipeError> {
        let invalid =
            |source| RecipeError::Invalid { name: name.to_owned(), source: Box::new(source) };
        let recipe: Self = toml::from_str(text).map_err(invalid)?;
        if overrides.is_empty() {
            return recipe.checked(name);
        }
        let mut table: toml::Table = toml::from_str(&recipe.to_toml()).map_err(invalid)?;
        for text in overrides {
            apply(&mut table, text)?;
        }
        toml::from_str::<Self>(&table.to_string()).map_err(invalid)?.checked(name)
    }

    /// Refuses parts that do not go together.
    fn checked(self, name: &str) -> Result<Self, RecipeError> {
        match (&self.model, &self.backend) {
            (ModelConfig::Autoencoder(_), BackendConfig::Column(config)) if config.column < 2 => {
                Ok(self)
            }
            (ModelConfig::Autoencoder(_), backend) => {
                Err(RecipeError::Backend { name: name.to_owned(), backend: backend.name() })
            }
            (ModelConfig::Network(_) | ModelConfig::Statistics(_), _) => Ok(self),
        }
    }
}

fn read(name: &str) -> Result<String, RecipeError> {
    let path = Path::new(name);
    fs::read_to_string(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => RecipeError::Unknown {
            name: name.to_owned(),
            known: BUILT_IN.map(|recipe| recipe.name).join(", "),
        },
        _ => RecipeError::Io { path: path.to_owned(), source },
    })
}

/// Tables that hold one alternative each: naming another replaces the one there.
const ALTERNATIVES: [&str; 4] = ["model", "model.network.loss", "backend", "threshold"];

fn apply(table: &mut toml::Table, text: &str) -> Result<(), RecipeError> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
        .ok_or_else(|| RecipeError::Override { text: text.to_owned() })?;
    let (key, value) = (key.trim(), parse_value(value.trim()));
    let parts: Vec<&str> = key.split('.').collect();
    let (last, parents) = parts.split_last().expect("split yields at least one part");
    let mut here = table;
    let mut path = String::new();
    for part in parents {
        step_into(here, &path, part);
        here = here.get_mut(*part).and_then(toml::Value::as_table_mut).ok_or_else(|| {
            RecipeError::OverridePath { key: key.to_owned(), part: (*part).to_owned() }
        })?;
        path = if path.is_empty() { (*part).to_owned() } else { format!("{path}.{part}") };
    }
    step_into(here, &path, last);
    here.insert((*last).to_owned(), value);
    Ok(())
}

/// Clears a one-alternative table that is about to receive another alternative.
fn step_into(here: &mut toml::Table, path: &str, part: &str) {
    if ALTERNATIVES.contains(&path) && !here.contains_key(part) {
        here.clear();
        here.insert(part.to_owned(), toml::Value::Table(toml::Table::new()));
    }
}

fn parse_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}
