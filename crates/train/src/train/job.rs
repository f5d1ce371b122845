//! What a training is made from, and what it did.

use std::path::Path;

use offkey_core::Seed;
use offkey_infer::{ClipSource, Compute, EncoderConfig};

use super::config::TrainConfig;
use crate::{Labels, LossConfig, loss::LossRegistry};

/// Everything a training run is made from.
pub struct TrainJob<'a> {
    /// The training clips.
    pub source: &'a dyn ClipSource,
    /// Their classes.
    pub labels: &'a Labels,
    /// The architecture.
    pub encoder: &'a EncoderConfig,
    /// The loss.
    pub loss: &'a LossConfig,
    /// Losses from outside that it may name.
    pub losses: &'a LossRegistry,
    /// The training settings.
    pub train: &'a TrainConfig,
    /// Seed of every random choice.
    pub seed: Seed,
    /// Where to compute.
    pub compute: Compute,
    /// Folder that receives the model, and checkpoints on the way; made if absent.
    pub folder: &'a Path,
    /// Whether to continue from the folder's checkpoint. Without one training begins anew; a
    /// finished run leaves none.
    pub resume: bool,
}

/// What a training run did.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Whether the run reached its end; false when the observer stopped it.
    pub finished: bool,
    /// Epochs, those before a resumption included; the last may have been cut short.
    pub epochs: usize,
    /// Optimiser steps done, those before a resumption included.
    pub steps: usize,
    /// The epoch, from 0, whose weights were kept because the held-out loss was lowest; absent
    /// without [`TrainConfig::early_stopping`].
    pub best_epoch: Option<usize>,
    /// Whether the held-out clips have stopped to gain; absent without
    /// [`TrainConfig::convergence`].
    pub converged: Option<bool>,
    /// Mean loss of the last completed epoch; absent when none was.
    pub loss: Option<f64>,
    /// Seconds of this call.
    pub seconds: f64,
    /// Clips that passed through a step in this call, divided by its seconds.
    pub clips_per_second: f64,
    /// Trained numbers of the encoder, without the loss's own.
    pub parameters: usize,
    /// Whether evaluation uses recomputed instead of running statistics.
    pub statistics_recomputed: bool,
    /// The kernels that computed each branch, as in `fast (avx512)` or `reference`.
    pub kernels: Vec<String>,
}
