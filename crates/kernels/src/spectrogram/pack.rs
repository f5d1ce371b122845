//! Weights between the caller's `[output, input, row, col]` order and the order the kernels read.

use crate::simd::{LANES, Lane, floats, floats_mut};
use crate::spectrogram::geometry::{ConvPlan, Phase};

/// `[output block][input block][tap][input channel]` vectors of sixteen output channels.
pub(crate) fn pack_forward(conv: &ConvPlan, weights: &[f32]) -> Vec<Lane> {
    let mut packed = vec![Lane::ZERO; conv.weight_lanes()];
    let values = floats_mut(&mut packed);
    for_each_weight(conv, |output, input, tap, source| {
        values[forward_place(conv, output, input, tap)] = weights[source];
    });
    packed
}

/// `[input block][output block][tap by phase][output channel]` vectors of sixteen input channels.
pub(crate) fn pack_transposed(conv: &ConvPlan, weights: &[f32]) -> Vec<Lane> {
    let mut packed = vec![Lane::ZERO; conv.weight_lanes()];
    let values = floats_mut(&mut packed);
    let mut places = vec![0; conv.taps()];
    for Phase { taps, first, .. } in &conv.transposed {
        for (place, &tap) in taps.iter().enumerate() {
            places[tap] = first + place;
        }
    }
    for_each_weight(conv, |output, input, tap, source| {
        let block =
            (input / LANES * conv.output.blocks + output / LANES) * conv.taps() + places[tap];
        values[(block * LANES + output % LANES) * LANES + input % LANES] = weights[source];
    });
    packed
}

/// A convolution's part of each chunk of weight gradients, in the order of [`pack_forward`] from
/// vector `first` on: their sum in the caller's order. `each` vectors make a chunk.
pub(crate) fn unpack_forward(
    conv: &ConvPlan,
    chunks: &[Lane],
    each: usize,
    first: usize,
) -> Vec<f32> {
    let mut weights = vec![0.0; conv.weight_lanes() * LANES];
    let mut sums = vec![Lane::ZERO; conv.weight_lanes()];
    for chunk in chunks.chunks_exact(each) {
        let part = &chunk[first..][..conv.weight_lanes()];
        for (sum, part) in floats_mut(&mut sums).iter_mut().zip(floats(part)) {
            *sum += part;
        }
    }
    let sums = floats(&sums);
    for_each_weight(conv, |output, input, tap, source| {
        weights[source] = sums[forward_place(conv, output, input, tap)];
    });
    weights
}

fn forward_place(conv: &ConvPlan, output: usize, input: usize, tap: usize) -> usize {
    let block = (output / LANES * conv.input.blocks + input / LANES) * conv.taps() + tap;
    (block * LANES + input % LANES) * LANES + output % LANES
}

fn for_each_weight(conv: &ConvPlan, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let mut source = 0;
    for output in 0..conv.output.channels() {
        for input in 0..conv.input.channels() {
            for tap in 0..conv.taps() {
                visit(output, input, tap, source);
                source += 1;
            }
        }
    }
}
