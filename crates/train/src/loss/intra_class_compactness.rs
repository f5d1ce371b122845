//! Intra-class compactness: every embedding near the centre of its class.
//!
//! `L = mean_i sum_c y_ic ||phi_i - c_c||^2`, on the unit sphere unless un-normalised. Nothing
//! keeps the classes apart but their centres.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::compactness::squared_distances;
use super::config::IntraClassCompactnessConfig;
use super::sphere::mean_of_labelled;

/// One centre a class and the rule of the distance.
#[derive(Module, Debug)]
pub(crate) struct IntraClassCompactness {
    pub(super) centres: CentreColumns,
    normalized: bool,
}

impl IntraClassCompactness {
    pub(super) fn init(
        config: IntraClassCompactnessConfig,
        dims: usize,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let seed = seed.child("centres");
        Self {
            centres: CentreColumns::draw(config.centres, dims, classes, seed, device),
            normalized: config.normalized,
        }
    }

    /// `embeddings`: `[clips, dims]`; `labels`: `[clips, classes]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
        let distances = squared_distances(embeddings, &self.centres, self.normalized);
        mean_of_labelled(distances, labels)
    }
}
