//! How a crate of your own adds a loss, a backend and a branch, and uses every stage of offkey with them.
//!
//! It depends on `offkey` alone, and on `ndarray` for arrays. A recipe names the three as `custom`; the program beside this
//! file runs such a recipe.

mod distance_softmax;
mod kth_neighbour;
mod level_over_time;

use std::sync::Arc;

use offkey::{
    Registries, backends::BackendRegistry, branches::BranchRegistry, losses::LossRegistry,
};

pub use distance_softmax::DistanceSoftmax;
pub use kth_neighbour::KthNeighbour;
pub use level_over_time::LevelOverTime;

/// The recipe of the example: `tiny`, with the loss, the backend and the branch of this crate.
pub const RECIPE: &str = include_str!("../recipe.toml");

/// What this crate brings, by the names that recipes use.
pub fn registries() -> Registries {
    let losses = LossRegistry::default().with("distance-softmax", Arc::new(DistanceSoftmax));
    let backend = Arc::new(KthNeighbour { neighbour: 3 });
    let backends = BackendRegistry::default().with("third-neighbour", backend);
    let branch = Arc::new(LevelOverTime { parts: 40, dims: 16 });
    let branches = BranchRegistry::default().with("level-over-time", branch);
    Registries { losses, backends, branches }
}
