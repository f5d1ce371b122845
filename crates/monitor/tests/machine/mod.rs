//! The noise machine of the tests, with windows of a quarter second.

pub(crate) use offkey_testkit::{RATE_HZ, noise, strange};

use offkey_monitor::Monitor;
use offkey_testkit::NoiseModel;

/// Samples of a window; the next one begins where it ends.
pub(crate) const WINDOW: usize = 4096;

/// A monitor of forty recordings.
pub(crate) fn monitor() -> Monitor {
    NoiseModel::new(WINDOW, 40).learn()
}
