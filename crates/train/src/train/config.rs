//! How an encoder is trained.

use serde::{Deserialize, Serialize};

use super::options::{Convergence, EarlyStopping, Schedule};
use crate::{MaskingConfig, SelfSupervision};

/// Training settings. The defaults are the paper's recipe: Adam at 1e-3, batches of 64 clips,
/// ten epochs, waveform mixup of every clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Clips per batch. A last batch of one clip joins the batch before it; fewer clips than this
    /// make one batch.
    pub batch_clips: usize,
    /// How long to train.
    pub length: TrainLength,
    /// Adam's learning rate; decay rates are 0.9 and 0.999, epsilon is 1e-7.
    pub learning_rate: f64,
    /// How the learning rate changes over the run; constant in the paper.
    pub schedule: Schedule,
    /// Share of every kernel that a step takes off, times the learning rate (`AdamW`); none in the
    /// paper.
    ///
    /// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    pub weight_decay: f64,
    /// Largest length of the gradient of all trained numbers together; a longer one is shortened to
    /// it. Absent, as in the paper, it is taken as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_length: Option<f64>,
    /// Decay per step of a running average of the weights, which is what is written in the end, as
    /// 0.99. Absent, as in the paper, the last weights are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_weights: Option<f64>,
    /// When to stop before the end; needs [`Self::held_out`]. Absent, training goes on to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// When training has converged and ends; needs [`Self::held_out`]. Absent, training goes on to
    /// the end. Unlike [`Self::early_stopping`] it keeps the last weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convergence: Option<Convergence>,
    /// Probability that a clip is mixed with its partner, the clip at the mirrored position of
    /// the batch, by a weight drawn from U(0, 1); labels mix alike. 1.0 in the paper, 0.5 in the
    /// author's later systems.
    pub mixup: f64,
    /// Exchanges among the clips of a batch that a second loss learns to tell; none in the paper.
    pub self_supervision: SelfSupervision,
    /// Masks over the spectrograms; none in the paper.
    pub masking: MaskingConfig,
    /// Factor of the sum of squared weights of convolutions and dense layers in the loss.
    pub l2_penalty: f64,
    /// How the statistics used at evaluation are made.
    pub batch_norm: BatchNormStatistics,
    /// Whether to measure [`crate::Compactness`] over all clips after every epoch. Costs two passes
    /// over the set per epoch: one for the statistics of the norms, one for the embeddings.
    pub measure_compactness: bool,
    /// Epochs from one measurement to the next; the last epoch is measured too. Default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub measure_epochs: usize,
    /// Share of the recordings of every class that is kept out of training, for measuring only: loss
    /// and accuracy of the task after every epoch. Default none: every normal clip teaches. At least
    /// one clip of a class stays in training, and clips of one recording stay together.
    pub held_out: f64,
    /// Whether training stops with an explanation when all embeddings of a batch point the same
    /// way. Studies of collapse go on and record it.
    pub stop_on_collapse: bool,
    /// Batches whose features may be prepared ahead of the step that uses them.
    pub prefetch_batches: usize,
}

/// How long to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainLength {
    /// So many passes over the clips.
    Epochs(usize),
    /// So many optimiser steps, the last epoch cut short: for small sets, where a number of epochs
    /// says little.
    Steps(usize),
    /// Whichever is longer: enough passes for a large set, enough steps for a small one.
    AtLeast {
        /// Passes over the clips.
        epochs: usize,
        /// Optimiser steps.
        steps: usize,
    },
}

/// How batch normalisation gets the statistics it uses at evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchNormStatistics {
    /// [`Self::Recomputed`] for runs of fewer than 500 steps, else [`Self::Running`]. After `n`
    /// steps 0.99^n of the running statistics is still their start: 67 % after 40 steps, 0.7 %
    /// after 500.
    #[default]
    Auto,
    /// Exponential running averages with momentum 0.99, as collected while training.
    Running,
    /// Mean and variance over one more pass over the training clips with the final weights, without
    /// mixup. Batches are drawn in a random order, so that the statistics do not depend on the order
    /// of the clips beyond the chance of which clips meet in a batch.
    Recomputed,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            batch_clips: 64,
            length: TrainLength::Epochs(10),
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            gradient_length: None,
            average_weights: None,
            early_stopping: None,
            convergence: None,
            mixup: 1.0,
            self_supervision: SelfSupervision::None,
            masking: MaskingConfig::default(),
            l2_penalty: 1e-5,
            batch_norm: BatchNormStatistics::Auto,
            measure_compactness: false,
            measure_epochs: 1,
            held_out: 0.0,
            stop_on_collapse: true,
            prefetch_batches: 1,
        }
    }
}

/// Runs shorter than this many steps get recomputed statistics under
/// [`BatchNormStatistics::Auto`].
const SHORT_RUN_STEPS: usize = 500;

impl TrainConfig {
    /// Optimiser steps of a run with so many batches per epoch.
    pub fn steps(&self, batches: usize) -> usize {
        match self.length {
            TrainLength::Epochs(epochs) => epochs * batches,
            TrainLength::Steps(steps) => steps,
            TrainLength::AtLeast { epochs, steps } => steps.max(epochs * batches),
        }
    }

    /// Epochs of a run with so many batches per epoch; the last may be cut short.
    pub fn epochs(&self, batches: usize) -> usize {
        self.steps(batches).div_ceil(batches.max(1))
    }

    /// Whether a run of so many steps ends with a recomputation of its statistics. Running ones are
    /// of other weights than an average or those of an earlier epoch.
    pub fn recomputes_statistics(&self, steps: usize) -> bool {
        let is_last = self.average_weights.is_none()
            && self.early_stopping.is_none()
            && self.convergence.is_none();
        match self.batch_norm {
            BatchNormStatistics::Auto => steps < SHORT_RUN_STEPS || !is_last,
            BatchNormStatistics::Running => false,
            BatchNormStatistics::Recomputed => true,
        }
    }

    /// Names the first setting outside its range.
    pub(crate) fn invalid(&self) -> Option<(&'static str, String, &'static str)> {
        let zero = match self.length {
            TrainLength::Epochs(count) | TrainLength::Steps(count) => count == 0,
            TrainLength::AtLeast { epochs, steps } => epochs.max(steps) == 0,
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: &f64, most: f64| (0.0..=most).contains(value);
        let checks = [
            ("batch_clips", self.batch_clips as f64, self.batch_clips >= 2, "at least 2"),
            ("length", 0.0, !zero, "at least 1"),
            ("measure_epochs", self.measure_epochs as f64, self.measure_epochs > 0, "at least 1"),
            ("learning_rate", self.learning_rate, positive(self.learning_rate), POSITIVE),
            ("mixup", self.mixup, share(&self.mixup, 1.0), "a probability"),
            ("held_out", self.held_out, share(&self.held_out, 0.5), "a share from 0 to 0.5"),
            ("l2_penalty", self.l2_penalty, not_negative(self.l2_penalty), NOT_NEGATIVE),
            ("weight_decay", self.weight_decay, not_negative(self.weight_decay), NOT_NEGATIVE),
        ];
        let broken = checks.into_iter().find(|(_, _, fits, _)| !fits);
        let broken = broken.map(|(field, found, _, expected)| (field, found.to_string(), expected));
        broken.or_else(|| self.invalid_option())
    }

    fn invalid_option(&self) -> Option<(&'static str, String, &'static str)> {
        let length = self.gradient_length.filter(|&length| !(length.is_finite() && length > 0.0));
        let decay = self.average_weights.filter(|decay| !(0.0..1.0).contains(decay));
        if let Some(length) = length {
            Some(("gradient_length", length.to_string(), POSITIVE))
        } else if let Some(decay) = decay {
            Some(("average_weights", decay.to_string(), "at least 0 and below 1"))
        } else if self.early_stopping.is_some_and(|early| early.patience_epochs == 0) {
            Some(("patience_epochs", "0".to_owned(), "at least 1"))
        } else if let Some(found) =
            self.convergence.map(|rule| rule.tolerance).filter(|t| !not_negative(*t))
        {
            Some(("tolerance", found.to_string(), NOT_NEGATIVE))
        } else {
            self.schedule.invalid().or_else(|| self.masking.invalid())
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

fn not_negative(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

const POSITIVE: &str = "a positive number";
const NOT_NEGATIVE: &str = "zero or a positive number";
