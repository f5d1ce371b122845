//! Compactness: all embeddings near one centre, whatever the clips' classes.
//!
//! `L = mean_i ||phi_i - c||^2`, with `phi` and a trainable `c` on the unit sphere unless the
//! loss is un-normalised. Any network that can give a constant output minimises it trivially.
//!
//! # Source
//! Ruff et al., "Deep One-Class Classification", 2018 (Deep SVDD).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use offkey_core::Seed;

use super::centres::CentreColumns;
use super::config::{Centres, CompactnessConfig};
use super::sphere::normalize;

/// One centre and the rule of the distance.
#[derive(Module, Debug)]
pub(crate) struct Compactness {
    pub(super) centre: CentreColumns,
    normalized: bool,
}

impl Compactness {
    pub(super) fn init(
        config: CompactnessConfig,
        dims: usize,
        seed: Seed,
        device: &Device,
    ) -> Self {
        let rule = if config.trainable_centre { Centres::Trainable } else { Centres::Fixed };
        Self {
            centre: CentreColumns::draw(rule, dims, 1, seed.child("centres"), device),
            normalized: config.normalized,
        }
    }

    /// `embeddings`: `[clips, dims]`; result: `[1]`.
    pub(super) fn loss(&self, embeddings: Tensor<2>) -> Tensor<1> {
        squared_distances(embeddings, &self.centre, self.normalized).mean()
    }
}

/// `||phi - c||^2` for every embedding and centre, both on the unit sphere if `normalized`.
///
/// # Shapes
/// `embeddings`: `[clips, dims]`; result: `[clips, centres]`.
pub(super) fn squared_distances(
    embeddings: Tensor<2>,
    centres: &CentreColumns,
    normalized: bool,
) -> Tensor<2> {
    let (embeddings, centres) = if normalized {
        (normalize(embeddings, 1), centres.unit())
    } else {
        (embeddings, centres.columns())
    };
    let lengths = embeddings.clone().square().sum_dim(1);
    let centre_lengths = centres.clone().square().sum_dim(0);
    lengths + centre_lengths - embeddings.matmul(centres) * 2.0
}
