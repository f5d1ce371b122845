//! Training losses: what pulls the embeddings of normal clips into place.
//!
//! Every loss takes un-normalised embeddings `[clips, dims]` and soft labels `[clips, classes]`
//! and gives one mean over the clips. [`LossConfig`] chooses among them; the losses themselves,
//! one a file, stay inside the crate because they are built of tensors.

mod aam;
mod adacos;
mod adaproj;
mod centres;
mod compactness;
mod config;
mod cosface;
mod cross_entropy;
mod error;
mod intra_class_compactness;
mod intra_class_compactness_cross_entropy;
mod margin;
mod noisy_arcmix;
mod scale;
mod sphere;
mod sub_cluster_adacos;
mod sub_clusters;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ndarray::Array2;
use offkey_core::Seed;

pub use config::{
    AamConfig, AdaCosConfig, AdaProjConfig, Centres, CompactnessConfig, CosFaceConfig,
    CrossEntropyConfig, IntraClassCompactnessConfig, IntraClassCompactnessCrossEntropyConfig,
    LossConfig, NoisyArcMixConfig, ScaleRule, SubClusterAdaCosConfig,
};
pub use error::LossError;
pub use scale::{MAXIMUM_SCALE, MINIMUM_SCALE};

use adacos::AdaCos;
use compactness::Compactness;
use cross_entropy::CrossEntropy;
use intra_class_compactness::IntraClassCompactness;
use intra_class_compactness_cross_entropy::IntraClassCompactnessCrossEntropy;
use margin::MarginHead;
use sub_clusters::SubClusterHead;

/// A loss ready for training: its centres or layers, and its scale where it has one.
///
/// Fixed centres are parameters that require no gradient, so that they are saved and loaded like
/// the others and never stepped.
#[derive(Module, Debug)]
pub(crate) enum LossHead {
    /// See [`CompactnessConfig`].
    Compactness(Compactness),
    /// See [`IntraClassCompactnessConfig`].
    IntraClassCompactness(IntraClassCompactness),
    /// See [`IntraClassCompactnessCrossEntropyConfig`].
    IntraClassCompactnessCrossEntropy(IntraClassCompactnessCrossEntropy),
    /// See [`CrossEntropyConfig`].
    CrossEntropy(CrossEntropy),
    /// See [`AamConfig`].
    Aam(MarginHead),
    /// See [`NoisyArcMixConfig`].
    NoisyArcMix(MarginHead),
    /// See [`CosFaceConfig`].
    CosFace(MarginHead),
    /// See [`AdaCosConfig`].
    AdaCos(AdaCos),
    /// See [`SubClusterAdaCosConfig`].
    SubClusterAdaCos(SubClusterHead),
    /// See [`AdaProjConfig`].
    AdaProj(SubClusterHead),
}

impl LossHead {
    /// The loss for `classes` classes of `dims`-dimensional embeddings; what it draws at random
    /// comes from `seed` alone.
    ///
    /// # Errors
    /// Those of [`LossConfig::check`].
    pub(crate) fn init(
        config: &LossConfig,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Result<Self, LossError> {
        config.check(dims, classes)?;
        let margin = |centres, parts| MarginHead::init(centres, parts, dims, classes, seed, device);
        let sub_clusters =
            |parts, count| SubClusterHead::init(parts, count, dims, classes, seed, device);
        Ok(match config {
            LossConfig::Compactness(own) => {
                Self::Compactness(Compactness::init(*own, dims, seed, device))
            }
            LossConfig::IntraClassCompactness(own) => Self::IntraClassCompactness(
                IntraClassCompactness::init(*own, dims, classes, seed, device),
            ),
            LossConfig::IntraClassCompactnessCrossEntropy(own) => {
                Self::IntraClassCompactnessCrossEntropy(IntraClassCompactnessCrossEntropy::init(
                    *own, dims, classes, seed, device,
                ))
            }
            LossConfig::CrossEntropy(CrossEntropyConfig {}) => {
                Self::CrossEntropy(CrossEntropy::init(dims, classes, seed, device))
            }
            LossConfig::Aam(own) => Self::Aam(margin(own.centres, (own.scale, own.margin))),
            LossConfig::NoisyArcmix(own) => {
                Self::NoisyArcMix(margin(own.centres, (own.scale, own.margin)))
            }
            LossConfig::Cosface(own) => Self::CosFace(margin(own.centres, (own.scale, own.margin))),
            LossConfig::Adacos(own) => {
                Self::AdaCos(AdaCos::init(*own, dims, classes, seed, device))
            }
            LossConfig::SubClusterAdacos(own) => {
                Self::SubClusterAdaCos(sub_clusters((own.centres, own.scale), own.sub_clusters))
            }
            LossConfig::Adaproj(own) => {
                Self::AdaProj(sub_clusters((own.centres, own.scale), own.sub_clusters))
            }
        })
    }

    /// The mean loss of a training batch; a dynamic scale is adapted to the batch first.
    ///
    /// # Shapes
    /// `embeddings`: `[clips, dims]`, un-normalised; `labels`: `[clips, classes]`, soft, each row
    /// of sum 1; result: `[1]`.
    pub(crate) fn training_loss(&mut self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        match self {
            Self::AdaCos(own) => own.training_loss(embeddings, labels),
            Self::SubClusterAdaCos(own) => {
                sub_cluster_adacos::training_loss(own, embeddings, labels)
            }
            Self::AdaProj(own) => adaproj::training_loss(own, embeddings, labels),
            Self::Compactness(_)
            | Self::IntraClassCompactness(_)
            | Self::IntraClassCompactnessCrossEntropy(_)
            | Self::CrossEntropy(_)
            | Self::Aam(_)
            | Self::NoisyArcMix(_)
            | Self::CosFace(_) => self.loss(embeddings, labels),
        }
    }

    /// The mean loss of a batch at the present scale, as for held-out clips; shapes as
    /// [`training_loss`](Self::training_loss).
    pub(crate) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Compactness(own) => own.loss(embeddings),
            Self::IntraClassCompactness(own) => own.loss(embeddings, labels),
            Self::IntraClassCompactnessCrossEntropy(own) => own.loss(embeddings, labels),
            Self::CrossEntropy(own) => own.loss(embeddings, labels),
            Self::Aam(own) => aam::loss(own, embeddings, labels),
            Self::NoisyArcMix(own) => noisy_arcmix::loss(own, embeddings, labels),
            Self::CosFace(own) => cosface::loss(own, embeddings, labels),
            Self::AdaCos(own) => own.loss(embeddings, labels),
            Self::SubClusterAdaCos(own) => sub_cluster_adacos::loss(own, embeddings, labels),
            Self::AdaProj(own) => adaproj::loss(own, embeddings, labels),
        }
    }

    /// The present factor in front of the cosines; none where the loss has none.
    pub(crate) fn scale(&self) -> Option<f64> {
        match self {
            Self::Compactness(_)
            | Self::IntraClassCompactness(_)
            | Self::IntraClassCompactnessCrossEntropy(_)
            | Self::CrossEntropy(_) => None,
            Self::Aam(own) | Self::NoisyArcMix(own) | Self::CosFace(own) => Some(own.scale),
            Self::AdaCos(own) => Some(own.scale.value()),
            Self::SubClusterAdaCos(own) | Self::AdaProj(own) => Some(own.scale.value()),
        }
    }

    /// Puts back a dynamic scale read by [`scale`](Self::scale), as a checkpoint does; without
    /// effect on losses whose scale never changes.
    pub(crate) fn restore_scale(&mut self, value: f64) {
        match self {
            Self::Compactness(_)
            | Self::IntraClassCompactness(_)
            | Self::IntraClassCompactnessCrossEntropy(_)
            | Self::CrossEntropy(_)
            | Self::Aam(_)
            | Self::NoisyArcMix(_)
            | Self::CosFace(_) => {}
            Self::AdaCos(own) => own.scale.restore(value),
            Self::SubClusterAdaCos(own) | Self::AdaProj(own) => own.scale.restore(value),
        }
    }

    /// The centres `[classes * sub_clusters, dims]` that embeddings are drawn to, class-major and
    /// on the unit sphere unless the loss is un-normalised; none where the loss has no centres
    /// per class.
    pub(crate) fn class_centres(&self) -> Option<Array2<f32>> {
        let columns = match self {
            Self::Compactness(_) | Self::CrossEntropy(_) | Self::AdaProj(_) => return None,
            Self::IntraClassCompactness(own) => own.centres.columns(),
            Self::IntraClassCompactnessCrossEntropy(own) => own.compactness.centres.columns(),
            Self::Aam(own) | Self::NoisyArcMix(own) | Self::CosFace(own) => own.centres.unit(),
            Self::AdaCos(own) => own.centres.unit(),
            Self::SubClusterAdaCos(own) => own.centres.unit(),
        };
        Some(sphere::to_array(columns.transpose()))
    }
}
