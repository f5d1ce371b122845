//! Noisy-ArcMix: one angular margin for a mixed clip, on its main class, whatever else it is
//! mixed with.
//!
//! The logits are `s cos(theta + m)` at the clip's main class and `s cos theta` elsewhere; the loss
//! is their cross-entropy with the soft label, so that the second class is learnt against the
//! margin of the first. `ArcMix`, which gives each class its own margin, is [`super::aam`] with
//! soft labels.
//!
//! The paper's main class is the clip that the other was mixed into, even at a share below one
//! half. Here it is the largest entry of the label, since a label does not tell who was mixed into
//! whom. Margins beyond `theta + m = pi` as in [`super::aam`].
//!
//! # Source
//! Choi and Choi, "Noisy-ArcMix: Additive Noisy Angular Margin Loss Combined With Mixup Anomalous
//! Sound Detection", 2024.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::aam::with_angular_margin;
use super::centres::CentreColumns;
use super::config::NoisyArcMixConfig;
use super::sphere::{cosines, largest_of_row, soft_cross_entropy};

/// One centre a class, scale and margin.
#[derive(Module, Debug)]
pub(crate) struct NoisyArcMix {
    pub(super) centres: CentreColumns,
    scale: f64,
    margin: f64,
}

impl NoisyArcMix {
    pub(super) fn init(
        config: NoisyArcMixConfig,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let seed = seed.child("centres");
        Self {
            centres: CentreColumns::draw(config.centres, dims, classes, seed, device),
            scale: config.scale,
            margin: config.margin,
        }
    }

    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let cosines = cosines(embeddings, self.centres.unit());
        let margined = with_angular_margin(cosines.clone(), self.margin);
        let is_main = largest_of_row(labels.clone());
        soft_cross_entropy(cosines.mask_where(is_main, margined) * self.scale, labels)
    }
}
