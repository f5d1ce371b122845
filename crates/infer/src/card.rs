//! The model folder: `encoder.toml` says what the network is, `weights.safetensors` holds its
//! numbers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use crate::{
    BranchRegistry, EncoderConfig, ModelError,
    weights::{NamedTensors, damaged, io_error, write_atomically},
};

/// What the network is.
const CONFIG_FILE: &str = "encoder.toml";
/// Its numbers.
const WEIGHTS_FILE: &str = "weights.safetensors";
/// Form of the two files; another number means another reader.
const FORMAT: u32 = 1;

/// What a model folder says about its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Form of the folder's files.
    format: u32,
    /// Classes of the auxiliary task it was trained with.
    pub classes: usize,
    /// Seed of the training run.
    pub seed: Seed,
    /// Optimiser steps it was trained for.
    pub steps: usize,
    /// The architecture.
    pub encoder: EncoderConfig,
    /// The loss it was trained with, as its recipe wrote it. Embedding has no use for it.
    pub loss: toml::Table,
}

impl ModelCard {
    /// The card of an encoder trained for so many steps.
    pub fn new(
        encoder: &EncoderConfig,
        loss: toml::Table,
        classes: usize,
        seed: Seed,
        steps: usize,
    ) -> Self {
        Self { format: FORMAT, classes, seed, steps, encoder: encoder.clone(), loss }
    }

    /// Reads the card of a model folder, without its weights; branches of other crates are looked
    /// up.
    ///
    /// # Errors
    /// [`ModelError`] when the file is absent, damaged, or of another format, or names a branch that
    /// is not registered.
    pub fn read(folder: &Path, branches: &BranchRegistry) -> Result<Self, ModelError> {
        let path = folder.join(CONFIG_FILE);
        Self::parse(&path, &fs::read_to_string(&path).map_err(io_error(&path))?, branches)
    }

    /// Reads the card's text; `path` stands for it in errors.
    pub(crate) fn parse(
        path: &Path,
        text: &str,
        branches: &BranchRegistry,
    ) -> Result<Self, ModelError> {
        let mut card: Self = toml::from_str(text).map_err(|error| damaged(path, &error))?;
        if card.format != FORMAT {
            let problem = format!("format is {}, expected {FORMAT}", card.format);
            return Err(ModelError::Damaged { path: path.to_owned(), problem });
        }
        card.encoder = card.encoder.resolved(branches)?;
        card.encoder.validate()?;
        Ok(card)
    }

    /// The card as text.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] when the table of the loss cannot be written as TOML.
    pub fn to_toml(&self, path: &Path) -> Result<String, ModelError> {
        toml::to_string(self).map_err(|error| damaged(path, &error))
    }
}

/// Writes a model folder. The weights come last: where they are, the model is complete.
///
/// # Errors
/// [`ModelError::Io`] when a file cannot be written.
pub fn write_model(
    folder: &Path,
    card: &ModelCard,
    weights: &NamedTensors,
) -> Result<(), ModelError> {
    let path = folder.join(CONFIG_FILE);
    let text = card.to_toml(&path)?;
    write_atomically(&path, text.as_bytes())?;
    weights.write(&folder.join(WEIGHTS_FILE), None)
}

/// Whether a folder holds weights, which are written last.
pub(crate) fn is_whole(folder: &Path) -> bool {
    folder.join(WEIGHTS_FILE).is_file()
}

/// Reads the weights of a model folder.
pub(crate) fn read_weights(folder: &Path) -> Result<(PathBuf, NamedTensors), ModelError> {
    let path = folder.join(WEIGHTS_FILE);
    let (weights, _) = NamedTensors::read(&path)?;
    Ok((path, weights))
}

/// Makes the folder and removes a model that another run left in it.
///
/// # Errors
/// [`ModelError::Io`] when the file system refuses.
pub fn clear_model(folder: &Path) -> Result<(), ModelError> {
    fs::create_dir_all(folder).map_err(io_error(folder))?;
    let weights = folder.join(WEIGHTS_FILE);
    if weights.exists() {
        fs::remove_file(&weights).map_err(io_error(&weights))?;
    }
    Ok(())
}
