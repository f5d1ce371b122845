//! Compactness: all embeddings near one centre, whatever the clips' classes.
//!
//! `L = mean_i ||phi_i - c||^2`, with `phi` and a trainable `c` on the unit sphere unless the
//! loss is un-normalised. Any network that can give a constant output minimises it trivially.
//!
//! # Source
//! Ruff et al., "Deep One-Class Classification", 2018 (Deep SVDD).

use burn::tensor::Tensor;
use offkey_core::Seed;
use serde::{Deserialize, Serialize};

use super::kind::{Centres, Loss, LossState, Matrix, Task};
use super::sphere::normalize;

/// Settings of the compactness loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactnessConfig {
    /// Measure the distance on the unit sphere. Default true: what the backend compares.
    pub normalized: bool,
    /// Let the centre learn. Default false: Deep SVDD fixes it, since a free centre can follow
    /// the embeddings into collapse.
    pub trainable_centre: bool,
}

impl Default for CompactnessConfig {
    fn default() -> Self {
        Self { normalized: true, trainable_centre: false }
    }
}

impl Loss for CompactnessConfig {
    fn needs_classes(&self) -> bool {
        false
    }

    fn train_centres(&mut self) {
        self.trainable_centre = true;
    }

    fn matrices(&self, task: Task, seed: Seed) -> Vec<Matrix> {
        let rule = if self.trainable_centre { Centres::Trainable } else { Centres::Fixed };
        vec![Matrix::centres(rule, task.dims, 1, seed.child("centres"))]
    }

    fn loss(&self, state: &LossState, embeddings: Tensor<2>, _labels: Tensor<2>) -> Tensor<1> {
        squared_distances(embeddings, state, self.normalized).mean()
    }

    /// The one centre is no class's.
    fn class_centres(&self, _state: &LossState) -> Option<Tensor<2>> {
        None
    }
}

/// `||phi - c||^2` for every embedding and centre, both on the unit sphere if `normalized`.
///
/// # Shapes
/// `embeddings`: `[clips, dims]`; result: `[clips, centres]`.
pub(super) fn squared_distances(
    embeddings: Tensor<2>,
    state: &LossState,
    normalized: bool,
) -> Tensor<2> {
    let (embeddings, centres) = if normalized {
        (normalize(embeddings, 1), state.unit_centres())
    } else {
        (embeddings, state.matrix(0))
    };
    let lengths = embeddings.clone().square().sum_dim(1);
    let centre_lengths = centres.clone().square().sum_dim(0);
    lengths + centre_lengths - embeddings.matmul(centres) * 2.0
}
