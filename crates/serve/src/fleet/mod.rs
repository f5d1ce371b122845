//! This computer within a fleet: models come from a store that many share, and a broker is told how it fares.

mod follower;
mod running;
mod status;
mod telling;
mod verbs;

pub use follower::{FleetError, Follower, ModelState};
pub use running::RunningFleet;
pub use status::{Asked, Server, StatusError};
pub use telling::tell;
pub use verbs::{FleetVerb, run};
