//! Weights of 3x3 convolutions on their way to the space of points, and their gradients on the way back.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::{Kernel, LANES, Lane, Simd};
use crate::spectrogram::points::{
    POINTS, READ, both_ways, weight_gradient_transform, weight_transform,
};

/// Which of its two passes a convolution's weights are packed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From the outputs' gradient to the inputs', kernels turned around.
    Transposed,
}

/// `[output block][point][input block][input channel]` vectors of sixteen output channels, the
/// transformed `[output, input, 3, 3]` weights; outputs and inputs change places when transposed.
pub(crate) struct PackWeights<'a> {
    pub(crate) weights: &'a [f32],
    /// Blocks of the weights' outputs and inputs, as they are.
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) direction: Direction,
}

impl Kernel for PackWeights<'_> {
    type Output = Vec<Lane>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<Lane> {
        let channels = self.inputs * LANES;
        let (to_blocks, from_blocks) = match self.direction {
            Direction::Forward => (self.outputs, self.inputs),
            Direction::Transposed => (self.inputs, self.outputs),
        };
        let mut packed = vec![Lane::ZERO; to_blocks * from_blocks * POINTS * LANES];
        for to in 0..to_blocks {
            for from in 0..from_blocks * LANES {
                let mut rows = [[simd.zero(); 3]; 3];
                for tap in 0..9 {
                    let mut lane = [0.0; LANES];
                    for (channel, value) in lane.iter_mut().enumerate() {
                        let channel = to * LANES + channel;
                        *value = match self.direction {
                            Direction::Forward => {
                                self.weights[(channel * channels + from) * 9 + tap]
                            }
                            Direction::Transposed => {
                                self.weights[(from * channels + channel) * 9 + 8 - tap]
                            }
                        };
                    }
                    rows[tap / 3][tap % 3] = simd.load(&lane);
                }
                let whole = both_ways!(simd, weight_transform, rows, 3, READ);
                for (place, value) in whole.as_flattened().iter().enumerate() {
                    let lane = (to * POINTS + place) * from_blocks * LANES + from;
                    simd.store(*value, &mut packed[lane].0);
                }
            }
        }
        packed
    }
}

/// The gradient of `[output, input, 3, 3]` weights from that of the transformed ones.
pub(crate) struct UnpackGradient<'a> {
    /// `[point][output block][input block][input channel]`, as the backward pass leaves it.
    pub(crate) sums: &'a [Lane],
    /// Blocks of outputs and inputs.
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

impl Kernel for UnpackGradient<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f32> {
        let channels = self.inputs * LANES;
        let mut weights = vec![0.0; self.outputs * LANES * channels * 9];
        for to in 0..self.outputs {
            for from in 0..channels {
                let mut rows = [[simd.zero(); READ]; READ];
                for point in 0..POINTS {
                    let lane = &self.sums[(point * self.outputs + to) * channels + from];
                    rows[point / READ][point % READ] = simd.load(&lane.0);
                }
                let whole = both_ways!(simd, weight_gradient_transform, rows, READ, 3);
                for (tap, value) in whole.as_flattened().iter().enumerate() {
                    let mut lane = [0.0; LANES];
                    simd.store(*value, &mut lane);
                    for (channel, value) in lane.iter().enumerate() {
                        weights[((to * LANES + channel) * channels + from) * 9 + tap] = *value;
                    }
                }
            }
        }
        weights
    }
}
