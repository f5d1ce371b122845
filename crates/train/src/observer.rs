//! What training tells while it runs, and how it is asked to stop.

use std::ops::ControlFlow;

use offkey_infer::Encoder;

/// Watches a training run.
pub trait TrainObserver {
    /// Called after every optimiser step. [`ControlFlow::Break`] asks training to write a
    /// checkpoint that can be resumed and to return.
    fn step(&mut self, step: &StepEvent) -> ControlFlow<()>;

    /// Called after every epoch, when its checkpoint is written.
    fn epoch(&mut self, epoch: &EpochEvent) {
        let _ = epoch;
    }

    /// Whether the model as it is after an epoch is wanted, for looking only. Makes one pass over the
    /// training clips, for the statistics of the norms, and changes nothing of the training.
    fn wants_model(&self, epoch: usize) -> bool {
        let _ = epoch;
        false
    }

    /// The model that would be written if training ended after this epoch, where it was wanted.
    fn model(&mut self, epoch: usize, encoder: Encoder) {
        let _ = (epoch, encoder);
    }
}

/// One optimiser step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEvent {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Step of the whole run, from 0.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Clips of this step's batch.
    pub clips: usize,
    /// Mean loss of the batch, without the L2 penalty.
    pub loss: f64,
    /// Scale of an angular margin loss after the step.
    pub scale: Option<f64>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Seconds since the previous step ended.
    pub seconds: f64,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEvent {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Mean loss over the epoch's clips.
    pub loss: f64,
    /// Scale of an angular margin loss.
    pub scale: Option<f64>,
    /// Variance of the normalised training embeddings in the epoch's last batch, summed over
    /// dimensions: 0 when all are equal, near 1 when they point everywhere.
    pub embedding_variance: f64,
    /// Seconds of this epoch.
    pub seconds: f64,
    /// Measured on the training clips, where [`crate::TrainConfig::measure_compactness`] is set.
    pub train: Option<Compactness>,
    /// The same on clips held out of training, where [`crate::TrainConfig::held_out`] asks for some.
    pub held_out: Option<Compactness>,
    /// What the epoch's last step pulled together and pushed apart, where the loss is a softmax on the
    /// sphere without margin and compactness is measured.
    pub gradient: Option<GradientSplit>,
    /// The mean loss that a model pays at least if it gives all training clips the same embedding: the
    /// entropy of the class frequencies. For the same losses.
    pub trivial_loss: Option<f64>,
}

/// The gradient of a softmax loss by the unit embeddings, split as in theorem B of docs/theory.md. Means
/// over the clips of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientSplit {
    /// Length of the part that lowers distances to the own centres.
    pub pull: f64,
    /// Length of the part that raises distances to all others.
    pub push: f64,
    /// Cosine between the two directions in which embeddings move.
    pub agreement: f64,
}

/// How close embeddings are to their own class and to others, as the model would give them if
/// training ended now. All but `own_centre` and `loss` mean the same whatever the loss: the centre
/// of a class is the mean direction of its training clips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compactness {
    /// Mean squared distance to the mean direction of the own class.
    pub intra: f64,
    /// Mean squared distance to the nearest mean direction of another class; absent with one class.
    pub inter: Option<f64>,
    /// Mean squared distance between the mean directions of two classes, over all pairs; absent
    /// with one class.
    pub between: Option<f64>,
    /// Share of clips that lie nearest to the mean direction of their own class; absent with one
    /// class.
    pub accuracy: Option<f64>,
    /// Mean squared distance to the nearest of the loss's centres of the own class; absent where
    /// the loss has none.
    pub own_centre: Option<f64>,
    /// Mean loss.
    pub loss: f64,
    /// Variance of the normalised embeddings, summed over dimensions.
    pub embedding_variance: f64,
}
