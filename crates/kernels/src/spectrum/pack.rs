//! Weights between the framework's order `[filters, channels, taps]` and panels.
//!
//! Packed weights are `[panel][slot][channel]` rows of [`PANEL`] filters for the forward product,
//! and `[panel][slot][filter]` rows of [`PANEL`] channels for the gradient of the input. Gradients
//! arrive as `[slot][panel][channel]` rows of [`PANEL`] filters, so that the taps of a phase lie
//! together. What is beyond the filters stays zero.

use rayon::prelude::*;

use super::layout::{Conv, row_width};
use crate::gemm::PANEL;

/// Taps that are transposed together; a block of them fits the first-level cache.
const TAPS: usize = 64;

/// One convolution's weights: its geometry and its channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    pub(crate) conv: &'a Conv,
    /// Channels of the input.
    pub(crate) channels: usize,
    /// The same as rows of a packed slot: one over values, else whole panels.
    pub(crate) channel_rows: usize,
    pub(crate) filters: usize,
}

impl Weights<'_> {
    /// Floats of one slot of one panel in [`Weights::pack`] and [`Weights::unpack`].
    pub(crate) fn slot_len(&self) -> usize {
        self.channel_rows * PANEL
    }

    /// Floats of the packed weights and of their gradient.
    pub(crate) fn packed_len(&self) -> usize {
        row_width(self.filters) * self.conv.slots() * self.channel_rows
    }

    /// Packs for the forward product.
    pub(crate) fn pack(&self, weights: &[f32], packed: &mut Vec<f32>) {
        packed.resize(self.packed_len(), 0.0);
        let panel_len = self.conv.slots() * self.slot_len();
        packed.par_chunks_mut(panel_len).enumerate().for_each(|(panel, packed)| {
            let filters = panel * PANEL..self.filters.min((panel + 1) * PANEL);
            for channel in 0..self.channels {
                let rows = filters.clone().map(|filter| self.taps(filter, channel));
                self.each_slot(weights, rows, |slot, values| {
                    let at = slot * self.slot_len() + channel * PANEL;
                    packed[at..at + PANEL].copy_from_slice(values);
                });
            }
        });
    }

    /// Packs for the gradient of the input.
    pub(crate) fn pack_transposed(&self, weights: &[f32], packed: &mut Vec<f32>) {
        packed.resize(self.packed_len(), 0.0);
        let slot_len = row_width(self.filters) * PANEL;
        packed.par_chunks_mut(self.conv.slots() * slot_len).enumerate().for_each(
            |(panel, packed)| {
                let channels = panel * PANEL..self.channels.min((panel + 1) * PANEL);
                for filter in 0..self.filters {
                    let rows = channels.clone().map(|channel| self.taps(filter, channel));
                    self.each_slot(weights, rows, |slot, values| {
                        let at = slot * slot_len + filter * PANEL;
                        packed[at..at + PANEL].copy_from_slice(values);
                    });
                }
            },
        );
    }

    /// Brings a packed gradient into the framework's order.
    pub(crate) fn unpack(&self, packed: &[f32]) -> Vec<f32> {
        let kernel = self.conv.kernel;
        let slot_stride = row_width(self.filters) / PANEL * self.slot_len();
        let mut gradient = vec![0.0; self.filters * self.channels * kernel];
        let panels = gradient.par_chunks_mut(PANEL * self.channels * kernel);
        panels.enumerate().for_each(|(panel, gradient)| {
            let mut columns = [[0.0; TAPS]; PANEL];
            for channel in 0..self.channels {
                let from = panel * self.slot_len() + channel * PANEL;
                for first in (0..kernel).step_by(TAPS) {
                    let taps = TAPS.min(kernel - first);
                    for tap in 0..taps {
                        let at = from + self.conv.slot_of(first + tap) * slot_stride;
                        for (column, &value) in columns.iter_mut().zip(&packed[at..at + PANEL]) {
                            column[tap] = value;
                        }
                    }
                    let filters = gradient.chunks_exact_mut(self.channels * kernel);
                    for (filter, column) in filters.zip(&columns) {
                        let at = channel * kernel + first;
                        filter[at..at + taps].copy_from_slice(&column[..taps]);
                    }
                }
            }
        });
        gradient
    }

    /// Where the taps of one filter and channel stand in the framework's order.
    fn taps(&self, filter: usize, channel: usize) -> usize {
        (filter * self.channels + channel) * self.conv.kernel
    }

    /// Transposes up to [`PANEL`] rows of taps and hands out one panel row a slot.
    fn each_slot(
        &self,
        weights: &[f32],
        rows: impl Iterator<Item = usize> + Clone,
        mut store: impl FnMut(usize, &[f32; PANEL]),
    ) {
        let kernel = self.conv.kernel;
        let mut block = [[0.0; PANEL]; TAPS];
        for first in (0..kernel).step_by(TAPS) {
            let taps = TAPS.min(kernel - first);
            for (lane, row) in rows.clone().enumerate() {
                for (values, &weight) in block.iter_mut().zip(&weights[row + first..][..taps]) {
                    values[lane] = weight;
                }
            }
            for (tap, values) in (first..).zip(&block[..taps]) {
                store(self.conv.slot_of(tap), values);
            }
        }
    }
}
