//! Recipes: every choice of a run or a monitor in one TOML file, read, changed by key, and checked before any work.

mod error;
mod fusion;
mod limits;
mod load;
mod noise;
mod path;
mod recipe;
mod scoring;

pub use error::RecipeError;
pub use fusion::{PooledFusion, pooled, spoken};
pub use noise::{NoiseConfig, NoiseKind, NoisyClips};
pub use recipe::{
    AudioConfig, AutoencoderModel, BUILT_IN, BuiltIn, ModelConfig, NetworkConfig, PooledModel,
    Recipe, StatisticsModel,
};
pub use scoring::Scoring;
