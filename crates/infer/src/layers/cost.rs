//! What an architecture costs, as its branches add it up: multiply-adds per clip.

use super::switches::{SQUEEZE_RATIO, Switches};

/// Adds up layers. Norms, pooling and element-wise work do not count, as is usual.
#[derive(Debug)]
pub(crate) struct Cost {
    switches: Switches,
    multiply_adds: usize,
}

impl Cost {
    /// Nothing counted yet.
    pub(crate) fn new(switches: Switches) -> Self {
        Self { switches, multiply_adds: 0 }
    }

    /// What was counted.
    pub(crate) fn multiply_adds(&self) -> usize {
        self.multiply_adds
    }

    pub(crate) fn kernel(&mut self, inputs: usize, outputs: usize, area: usize, positions: usize) {
        self.multiply_adds += inputs * outputs * area * positions;
    }

    pub(crate) fn squeeze(&mut self, channels: usize) {
        if self.switches.squeeze_excitation {
            let hidden = channels.div_ceil(SQUEEZE_RATIO);
            self.kernel(channels, hidden, 1, 1);
            self.kernel(hidden, channels, 1, 1);
        }
    }

    pub(crate) fn block(&mut self, inputs: usize, outputs: usize, [frames, bins]: [usize; 2]) {
        self.kernel(inputs, outputs, 9, frames * bins);
        self.kernel(outputs, outputs, 9, frames * bins);
        self.squeeze(outputs);
    }
}
