//! Additive cosine margin (CosFace): the true class competes with `cos(theta) - m`.
//!
//! `L = -ln[ exp(s (cos_l - m)) / (exp(s (cos_l - m)) + sum_{j != l} exp(s cos_j)) ]`, summed over
//! the classes with soft labels as weights.
//!
//! # Source
//! Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::config::CosFaceConfig;
use super::margin::margin_cross_entropy;
use super::sphere::cosines;

/// One centre a class, scale and margin.
#[derive(Module, Debug)]
pub(crate) struct CosFace {
    pub(super) centres: CentreColumns,
    scale: f64,
    margin: f64,
}

impl CosFace {
    pub(super) fn init(
        config: CosFaceConfig,
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
        let logits = cosines(embeddings, self.centres.unit()) * self.scale;
        let margined = logits.clone() - self.scale * self.margin;
        margin_cross_entropy(logits, margined, labels)
    }
}
