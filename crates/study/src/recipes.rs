//! What a study does to recipes: binds recordings of noise, and takes away what a model does not depend on.

use std::path::{Path, PathBuf};

use offkey::{
    AudioConfig, BackendConfig, ColumnConfig, ModelConfig, NoiseConfig, NoiseKind, Recipe,
    ThresholdConfig,
};

/// What a study calls the recordings its noise comes from, where they are not bound to a folder.
pub(crate) fn unbound_noise(recipe: &Recipe) -> Option<&str> {
    recorded_noise(recipe)?.to_str()?.strip_prefix('{')?.strip_suffix('}')
}

/// Where noise comes from, where it comes from recordings.
pub(crate) fn recorded_noise(recipe: &Recipe) -> Option<&Path> {
    match &recipe.audio.noise {
        Some(NoiseConfig { kind: NoiseKind::Recordings(path), .. }) => Some(path),
        _ => None,
    }
}

/// Takes noise, where there is any, from the recordings of a folder.
pub(crate) fn take_noise_from(recipe: &mut Recipe, folder: PathBuf) {
    if let Some(noise) = &mut recipe.audio.noise {
        noise.kind = NoiseKind::Recordings(folder);
    }
}

/// The recipe with everything that does not reach training set to its default.
pub(crate) fn as_trained(recipe: &Recipe) -> Recipe {
    let mut recipe = as_embedded(recipe);
    recipe.audio = AudioConfig {
        noise: recipe.audio.noise.filter(NoiseConfig::reaches_training),
        ..recipe.audio
    };
    recipe.fusion = None;
    recipe
}

/// The recipe with everything that does not reach the embeddings set to its default.
pub(crate) fn as_embedded(recipe: &Recipe) -> Recipe {
    Recipe {
        name: String::new(),
        description: String::new(),
        backend: match recipe.model {
            ModelConfig::Network(_)
            | ModelConfig::Statistics(_)
            | ModelConfig::Pooled(_)
            | ModelConfig::Onnx(_) => BackendConfig::default(),
            ModelConfig::Autoencoder(_) => BackendConfig::Column(ColumnConfig::default()),
        },
        threshold: match recipe.threshold {
            // What it withholds does not reach training.
            held_out @ ThresholdConfig::HeldOut { .. } => held_out,
            ThresholdConfig::Percentile { .. } | ThresholdConfig::Gamma { .. } => {
                ThresholdConfig::default()
            }
        },
        ..recipe.clone()
    }
}
