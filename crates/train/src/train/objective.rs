//! What a step minimises: the loss, and beside it that of the self-supervised classes.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use ndarray::Array2;

use super::{TrainError, TrainJob};
use crate::{loss::LossHead, self_supervision::Exchange, tensors::to_tensor};

/// The loss, and the one of the self-supervised classes where training has them.
#[derive(Module, Debug)]
pub(super) struct Objective {
    pub(super) plain: LossHead,
    exchange: Option<LossHead>,
}

/// Scales of both losses, as far as they have one.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Scales {
    pub(super) plain: Option<f64>,
    exchange: Option<f64>,
}

impl Objective {
    /// The losses of a job; the second has trainable centres.
    pub(super) fn init(job: &TrainJob<'_>, device: &Device) -> Result<Self, TrainError> {
        let (dims, classes) = (job.encoder.dims(), job.labels.classes);
        let plain = job.loss.head(job.losses, (dims, classes), job.seed.child("loss"), device)?;
        let factor = job.train.self_supervision.class_factor();
        let exchange = factor.map(|factor| {
            let loss = job.loss.with_trainable_centres();
            let seed = job.seed.child("exchange loss");
            loss.head(job.losses, (dims, factor * classes), seed, device)
        });
        Ok(Self { plain, exchange: exchange.transpose()? })
    }

    /// Mean loss of a training batch, dynamic scales adapted.
    ///
    /// # Shapes
    /// `embeddings`: `[clips, dims]`, un-normalised; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn training_loss(
        &mut self,
        embeddings: Tensor<2>,
        labels: &Array2<f32>,
        exchange: Option<&Exchange>,
    ) -> Tensor<1> {
        let device = embeddings.device();
        let labels = to_tensor(labels, &device);
        let plain = self.plain.training_loss(embeddings.clone(), labels);
        match (&mut self.exchange, exchange) {
            (Some(head), Some(exchange)) => {
                let labels = to_tensor(&exchange.labels, &device);
                plain + head.training_loss(exchange.embeddings(embeddings), labels)
            }
            _ => plain,
        }
    }

    pub(super) fn scales(&self) -> Scales {
        let exchange = self.exchange.as_ref().and_then(LossHead::scale);
        Scales { plain: self.plain.scale(), exchange }
    }

    /// Puts back the scales of a checkpoint.
    pub(super) fn restore_scales(&mut self, saved: Scales) {
        if let Some(scale) = saved.plain {
            self.plain.restore_scale(scale);
        }
        if let (Some(head), Some(scale)) = (&mut self.exchange, saved.exchange) {
            head.restore_scale(scale);
        }
    }
}
