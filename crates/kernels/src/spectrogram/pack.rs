//! Weights between the caller's `[output, input, row, col]` order and the order the kernels read.

use crate::simd::{LANES, Lane, Level, dispatch, floats, floats_mut};
use crate::spectrogram::geometry::{ConvPlan, Phase};
use crate::spectrogram::tile_weights::{Direction, PackWeights, UnpackGradient};

/// Weights for the convolution itself: `[output block][input block][tap][input channel]` vectors of
/// sixteen output channels, or transformed ones where it goes by tiles.
pub(crate) fn pack_forward(level: Level, conv: &ConvPlan, weights: &[f32]) -> Vec<Lane> {
    if conv.is_tiled() {
        return pack_tiled(level, conv, weights, Direction::Forward);
    }
    let mut packed = vec![Lane::ZERO; conv.weight_lanes()];
    let values = floats_mut(&mut packed);
    for_each_weight(conv, |output, input, tap, source| {
        values[forward_place(conv, output, input, tap)] = weights[source];
    });
    packed
}

/// Weights for the input's gradient: `[input block][output block][tap by phase][output channel]`
/// vectors of sixteen input channels, or transformed ones where it goes by tiles.
pub(crate) fn pack_transposed(level: Level, conv: &ConvPlan, weights: &[f32]) -> Vec<Lane> {
    if conv.is_tiled() {
        return pack_tiled(level, conv, weights, Direction::Transposed);
    }
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

fn pack_tiled(level: Level, conv: &ConvPlan, weights: &[f32], direction: Direction) -> Vec<Lane> {
    let (outputs, inputs) = (conv.output.blocks, conv.input.blocks);
    dispatch(level, PackWeights { weights, outputs, inputs, direction })
}

/// A convolution's part of each chunk of weight gradients, from vector `first` on: their sum in the
/// caller's order. `each` vectors make a chunk.
pub(crate) fn unpack_gradient(
    level: Level,
    conv: &ConvPlan,
    chunks: &[Lane],
    each: usize,
    first: usize,
) -> Vec<f32> {
    let mut sums = vec![Lane::ZERO; conv.weight_lanes()];
    for chunk in chunks.chunks_exact(each) {
        let part = &chunk[first..][..conv.weight_lanes()];
        for (sum, part) in floats_mut(&mut sums).iter_mut().zip(floats(part)) {
            *sum += part;
        }
    }
    if conv.is_tiled() {
        let (outputs, inputs) = (conv.output.blocks, conv.input.blocks);
        return dispatch(level, UnpackGradient { sums: &sums, outputs, inputs });
    }
    let mut weights = vec![0.0; conv.weight_lanes() * LANES];
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
