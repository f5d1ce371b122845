//! Additive angular margin (AAM, ArcFace): the true class competes with `cos(theta + m)`.
//!
//! `L = -ln[ exp(s cos(theta_l + m)) / (exp(s cos(theta_l + m)) + sum_{j != l} exp(s cos theta_j)) ]`,
//! summed over the classes with soft labels as weights. Beyond `theta + m = pi` the logit stays
//! `cos(theta + m)`, our choice.
//!
//! # Source
//! Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2019.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::config::AamConfig;
use super::margin::margin_cross_entropy;
use super::sphere::cosines;

/// Keeps the sine's gradient finite where embedding and centre coincide.
const LEAST_SQUARED_SINE: f64 = 1e-6;

/// One centre a class, scale and margin.
#[derive(Module, Debug)]
pub(crate) struct Aam {
    pub(super) centres: CentreColumns,
    scale: f64,
    margin: f64,
}

impl Aam {
    pub(super) fn init(
        config: AamConfig,
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
        margin_cross_entropy(cosines * self.scale, margined * self.scale, labels)
    }
}

/// `cos(theta + margin)` of every `cos(theta)`.
pub(super) fn with_angular_margin(cosines: Tensor<2>, margin: f64) -> Tensor<2> {
    let squared_sines = cosines.clone().square().neg() + 1.0;
    let sines = squared_sines.clamp_min(LEAST_SQUARED_SINE).sqrt();
    cosines * margin.cos() - sines * margin.sin()
}
