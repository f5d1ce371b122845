//! Where positions stand in memory, and which of them a convolution reads.
//!
//! Activations are channels-last: a *row* holds the channels of one position, padded with zeros to
//! whole panels. What a convolution of stride `s` reads is stored in `s` *phases*, phase `h`
//! holding positions `h, h + s, h + 2 s, ...` of the padded input one after another. Under a tap,
//! output positions then read neighbouring rows, and the gradient of a phase is a convolution of
//! stride one: no copies, and no addresses a power of two apart that fight for one cache set.

use crate::gemm::PANEL;

/// A sequence of positions dealt to phases, with zeros before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phased {
    /// Positions without padding.
    pub(crate) positions: usize,
    /// Zero positions before the first.
    pub(crate) before: usize,
    /// Number of phases.
    pub(crate) phases: usize,
    /// Rows of one phase.
    pub(crate) rows: usize,
}

impl Phased {
    /// One phase without padding: plain order.
    pub(crate) fn plain(positions: usize) -> Self {
        Self { positions, before: 0, phases: 1, rows: positions }
    }

    /// The row that holds a position.
    pub(crate) fn row_of(&self, position: usize) -> usize {
        let padded = position + self.before;
        padded % self.phases * self.rows + padded / self.phases
    }

    /// Rows of one clip, padding included.
    pub(crate) fn total_rows(&self) -> usize {
        self.phases * self.rows
    }
}

/// One convolution: its geometry, without channels.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) outputs: usize,
    pub(crate) input: Phased,
}

impl Conv {
    /// A convolution over rows of channels, dealt to as many phases as its stride.
    pub(crate) fn over_rows(inputs: usize, kernel: usize, stride: usize) -> Self {
        Self::new(inputs, kernel, stride, stride)
    }

    /// A convolution over single values in plain order, where taps are neighbours.
    pub(crate) fn over_values(inputs: usize, kernel: usize, stride: usize) -> Self {
        Self::new(inputs, kernel, stride, 1)
    }

    fn new(inputs: usize, kernel: usize, stride: usize, phases: usize) -> Self {
        let outputs = inputs.div_ceil(stride);
        let read = (outputs - 1) * stride + kernel;
        let before = read.saturating_sub(inputs) / 2;
        let padded = read.max(before + inputs);
        let input = Phased { positions: inputs, before, phases, rows: padded.div_ceil(phases) };
        Self { kernel, stride, outputs, input }
    }

    /// The most taps that fall on one phase.
    pub(crate) fn taps_per_phase(&self) -> usize {
        self.kernel.div_ceil(self.input.phases)
    }

    /// Taps that fall on `phase`: itself and every `phases`-th after it.
    pub(crate) fn taps_of(&self, phase: usize) -> usize {
        self.kernel.saturating_sub(phase).div_ceil(self.input.phases)
    }

    /// Places for taps in packed weights: phase by phase, as many for each.
    pub(crate) fn slots(&self) -> usize {
        self.input.phases * self.taps_per_phase()
    }

    /// The place of a tap in packed weights.
    pub(crate) fn slot_of(&self, tap: usize) -> usize {
        tap % self.input.phases * self.taps_per_phase() + tap / self.input.phases
    }

    /// The rows of `phase` that hold positions rather than padding.
    pub(crate) fn rows_of(&self, phase: usize) -> std::ops::Range<usize> {
        let Phased { positions, before, phases, .. } = self.input;
        let first = before.saturating_sub(phase).div_ceil(phases);
        let end = (before + positions).saturating_sub(phase).div_ceil(phases);
        first..end.max(first)
    }
}

/// Channels rounded up to whole panels: the width of a row.
pub(crate) fn row_width(channels: usize) -> usize {
    channels.next_multiple_of(PANEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_convolutions_keep_the_papers_positions() {
        let mut positions = 80_000;
        let mut seen = Vec::new();
        for (kernel, stride) in [(256, 64), (64, 32), (16, 4)] {
            let conv = Conv::over_rows(positions, kernel, stride);
            positions = conv.outputs;
            seen.push((positions, conv.input.before));
        }
        assert_eq!(seen, [(1250, 96), (40, 31), (10, 6)]);
    }

    #[test]
    fn every_position_stands_in_the_row_that_its_phase_lists() {
        for (inputs, kernel, stride) in
            [(1250, 64, 32), (7, 3, 2), (10, 1, 4), (1, 5, 3), (9, 2, 5)]
        {
            let conv = Conv::over_rows(inputs, kernel, stride);
            let mut listed = Vec::new();
            for phase in 0..stride {
                listed.extend(conv.rows_of(phase).map(|row| phase * conv.input.rows + row));
            }
            let mut expected: Vec<_> = (0..inputs).map(|p| conv.input.row_of(p)).collect();
            expected.sort_unstable();
            assert_eq!(listed, expected, "{inputs} {kernel} {stride}");
        }
    }

    #[test]
    fn every_tap_has_a_slot_of_its_own() {
        for (kernel, stride) in [(64, 32), (16, 4), (5, 3), (2, 5)] {
            let conv = Conv::over_rows(40, kernel, stride);
            let mut slots: Vec<_> = (0..kernel).map(|tap| conv.slot_of(tap)).collect();
            slots.sort_unstable();
            slots.dedup();
            assert_eq!(slots.len(), kernel);
            let counted: usize = (0..stride).map(|phase| conv.taps_of(phase)).sum();
            assert_eq!(counted, kernel);
        }
    }
}
