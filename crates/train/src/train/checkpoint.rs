//! The state of an unfinished run, in one file that is either whole or not there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey_core::Seed;
use offkey_infer::{
    EncoderConfig, ModelError,
    weights::{NamedTensors, damaged, io_error},
};
use serde::{Deserialize, Serialize};

use super::{
    TrainConfig, TrainError, TrainJob, objective::Scales, options::HeldOut, supply::Position,
};
use crate::{Labels, LossConfig};

const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// What identifies a run: a checkpoint of another one is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunIdentity {
    encoder: EncoderConfig,
    loss: LossConfig,
    train: TrainConfig,
    seed: Seed,
    clips: usize,
    classes: usize,
    labels_digest: u64,
}

/// Everything but the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunState {
    pub(super) run: RunIdentity,
    pub(super) epoch: usize,
    pub(super) batch: usize,
    pub(super) steps: usize,
    /// Scales of the losses after the last step.
    pub(super) scales: Option<Scales>,
    /// Sum over the epoch's clips so far, to report the epoch's mean loss.
    pub(super) loss_sum: f64,
    pub(super) loss_clips: usize,
    /// Mean loss of the last completed epoch.
    pub(super) last_epoch_loss: Option<f64>,
    /// The epoch of the lowest loss on held-out clips, and that loss, where training may stop early.
    #[serde(default)]
    pub(super) best: Option<(usize, f64)>,
    /// Whether it has.
    #[serde(default)]
    pub(super) stopped: bool,
    /// What held-out clips gave after each epoch, where training ends on convergence.
    #[serde(default)]
    pub(super) held_out: Vec<HeldOut>,
    /// Whether it has converged.
    #[serde(default)]
    pub(super) converged: bool,
}

impl RunState {
    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, batch: self.batch }
    }
}

impl RunIdentity {
    pub(super) fn of(job: &TrainJob<'_>) -> Self {
        Self {
            encoder: job.encoder.clone(),
            loss: job.loss.clone(),
            train: job.train.clone(),
            seed: job.seed,
            clips: job.source.len(),
            classes: job.labels.classes,
            labels_digest: digest(job.labels),
        }
    }

    fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let same = [
            ("architecture", self.encoder == other.encoder),
            ("loss", self.loss == other.loss),
            ("training configuration", self.train == other.train),
            ("seed", self.seed == other.seed),
            ("number of clips", self.clips == other.clips),
            ("number of classes", self.classes == other.classes),
            ("set of labels", self.labels_digest == other.labels_digest),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
    }
}

/// Where a folder's checkpoint is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(CHECKPOINT_FILE)
}

/// Writes a checkpoint over the one before.
pub(super) fn write(
    folder: &Path,
    state: &RunState,
    tensors: &NamedTensors,
) -> Result<(), ModelError> {
    let path = path(folder);
    let note = serde_json::to_string(state).map_err(|error| damaged(&path, &error))?;
    tensors.write(&path, Some(note))
}

/// Reads the folder's checkpoint, where there is one, and makes sure that it is of this run.
pub(super) fn read(
    folder: &Path,
    run: &RunIdentity,
) -> Result<Option<(RunState, NamedTensors)>, TrainError> {
    let path = path(folder);
    if !path.exists() {
        return Ok(None);
    }
    let (tensors, note) = NamedTensors::read(&path)?;
    let note = note.ok_or_else(|| damaged(&path, &"it says nothing about its run"))?;
    let state: RunState = serde_json::from_str(&note).map_err(|error| damaged(&path, &error))?;
    match state.run.first_difference(run) {
        None => Ok(Some((state, tensors))),
        Some(field) => Err(TrainError::OtherRun { folder: folder.to_owned(), field }),
    }
}

/// Removes the checkpoint of a run that is finished or begins anew.
pub(super) fn remove(folder: &Path) -> Result<(), ModelError> {
    let path = path(folder);
    if path.exists() {
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    Ok(())
}

/// 64-bit FNV-1a over the labels.
fn digest(labels: &Labels) -> u64 {
    let bytes = labels.of_clip.iter().flat_map(|label| label.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
