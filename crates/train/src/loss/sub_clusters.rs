//! What sub-cluster `AdaCos` and `AdaProj` share: several vectors a class, and a scale.

use burn::module::Module;
use burn::tensor::Device;
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::config::{Centres, ScaleRule};
use super::scale::Scale;

/// Several vectors a class, class-major, and the scale.
#[derive(Module, Debug)]
pub(crate) struct SubClusterHead {
    pub(super) centres: CentreColumns,
    pub(super) sub_clusters: usize,
    #[module(skip)]
    pub(super) scale: Scale,
}

impl SubClusterHead {
    pub(super) fn init(
        (centres, scale): (Centres, ScaleRule),
        sub_clusters: usize,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let count = classes * sub_clusters;
        Self {
            centres: CentreColumns::draw(centres, dims, count, seed.child("centres"), device),
            sub_clusters,
            scale: Scale::new(scale, count),
        }
    }
}
