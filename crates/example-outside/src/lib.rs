//! How a crate of your own adds a loss and a backend, and uses every stage of offkey with them.
//!
//! It depends on `offkey` alone, and on `ndarray` for arrays. A recipe names the two as `custom`; the program beside this
//! file runs such a recipe.

mod distance_softmax;
mod kth_neighbour;

use std::sync::Arc;

use offkey::{Registries, backends::BackendRegistry, losses::LossRegistry};

pub use distance_softmax::DistanceSoftmax;
pub use kth_neighbour::KthNeighbour;

/// The recipe of the example: `tiny`, with the loss and the backend of this crate.
pub const RECIPE: &str = include_str!("../recipe.toml");

/// What this crate brings, by the names that recipes use.
pub fn registries() -> Registries {
    let losses = LossRegistry::default().with("distance-softmax", Arc::new(DistanceSoftmax));
    let mut backends = BackendRegistry::default();
    backends.insert("third-neighbour", Arc::new(KthNeighbour { neighbour: 3 }));
    Registries { losses, backends }
}
