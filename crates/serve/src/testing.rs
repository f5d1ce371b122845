//! The noise machine of the tests, with few recordings.

pub(crate) use offkey_testkit::{RATE_HZ, noise};

use offkey_monitor::Monitor;
use offkey_testkit::NoiseModel;

/// A monitor of ten recordings with windows of so many samples.
pub(crate) fn monitor(samples: usize) -> Monitor {
    NoiseModel::new(samples, 10).learn()
}
