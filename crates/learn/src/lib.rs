//! From normal recordings to a monitor.
//!
//! By default the detector is a fusion of four pooled spectra: nothing is trained, every recording is
//! a reference, and each is scored without itself to calibrate. A network joins where a recipe asks for
//! one, the recordings name real classes, and it proves that it hears. A recipe with an autoencoder trains that of
//! the machine on some recordings, and calibrates it on the others.

mod autoencoder;
mod choose;
mod error;
mod faults;
mod find;
mod joining;
mod learn;
mod listening;
mod members;
mod network;
mod request;
mod selftest;
mod source;
mod windows;

pub use choose::{Choice, Tried, choose};
pub use error::LearnError;
pub use learn::{LearnReport, learn};
pub use request::LearnRequest;
pub use selftest::self_test;
