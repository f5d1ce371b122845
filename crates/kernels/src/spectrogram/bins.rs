//! The two ends of the branch: statistics of every bin on the way in, the largest value over all
//! time on the way out.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::{Kernel, LANES, Lane, Simd};
use crate::spectrogram::geometry::Shape;

/// Frames that are summed in single precision before the double-precision totals take them over.
const FRAMES_AT_ONCE: usize = 16;

/// Sums of one clip's bins and of their squares.
pub(crate) struct BinSums<'a> {
    /// `[frames, bins]`.
    pub(crate) values: &'a [f32],
    pub(crate) bins: usize,
    /// All sums, then all sums of squares, added to.
    pub(crate) sums: &'a mut [f64],
}

impl Kernel for BinSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let (totals, square_totals) = self.sums.split_at_mut(self.bins);
        let mut sums = vec![0.0_f32; self.bins];
        let mut squares = vec![0.0_f32; self.bins];
        for frames in self.values.chunks(FRAMES_AT_ONCE * self.bins) {
            sums.fill(0.0);
            squares.fill(0.0);
            for frame in frames.chunks_exact(self.bins) {
                for ((value, sum), square) in frame.iter().zip(&mut sums).zip(&mut squares) {
                    *sum += value;
                    *square += value * value;
                }
            }
            for (total, sum) in totals.iter_mut().zip(&sums) {
                *total += *sum as f64;
            }
            for (total, square) in square_totals.iter_mut().zip(&squares) {
                *total += *square as f64;
            }
        }
    }
}

/// The largest value over all rows of one clip, as `[channels, cols]`.
pub(crate) fn max_over_time(shape: Shape, activation: &[Lane], output: &mut [f32]) {
    for block in 0..shape.blocks {
        for col in 0..shape.cols {
            for lane in 0..LANES {
                let column = column(shape, activation, block, col, lane);
                let largest = column.fold(f32::NEG_INFINITY, f32::max);
                output[(block * LANES + lane) * shape.cols + col] = largest;
            }
        }
    }
}

/// Sends the gradient of each largest value to the first row that has it, zero elsewhere.
pub(crate) fn max_over_time_backward(
    shape: Shape,
    activation: &[Lane],
    output_gradient: &[f32],
    gradient: &mut [Lane],
) {
    gradient.fill(Lane::ZERO);
    for block in 0..shape.blocks {
        for col in 0..shape.cols {
            for lane in 0..LANES {
                let column = column(shape, activation, block, col, lane);
                let mut best = (0, f32::NEG_INFINITY);
                for (row, value) in column.enumerate() {
                    if value > best.1 {
                        best = (row, value);
                    }
                }
                let slope = output_gradient[(block * LANES + lane) * shape.cols + col];
                gradient[shape.row(block, best.0) + col].0[lane] = slope;
            }
        }
    }
}

fn column(
    shape: Shape,
    activation: &[Lane],
    block: usize,
    col: usize,
    lane: usize,
) -> impl Iterator<Item = f32> {
    (0..shape.rows).map(move |row| activation[shape.row(block, row) + col].0[lane])
}
