//! Winograd's minimal filtering F(4x4, 3x3): the way of one tile to the space of points and back.
//!
//! A tile of 4x4 outputs reads 6x6 inputs. Both are carried into a space of 36 points where the
//! convolution is one product per point, channel by channel. With the matrices `B`, `G`, `A` below,
//! for a tile `d`, weights `g` and outputs `y`:
//!
//! ```text
//! y     = A' [ (G g G') . (B' d B) ] A
//! dL/dg = G' [ sum over tiles of (B' d B) . (A dL/dy A') ] G
//! ```
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015. Points
//! 0, 1, -1, 2, -2 and infinity; in single precision the error is some hundred roundings.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::Simd;

/// Rows and columns of outputs in a tile.
pub(crate) const TILE: usize = 4;

/// Rows and columns of inputs that a tile reads.
pub(crate) const READ: usize = TILE + 2;

/// Points of a transformed tile.
pub(crate) const POINTS: usize = READ * READ;

/// Rows or columns up to whole tiles.
pub(crate) fn whole_tiles(size: usize) -> usize {
    size.next_multiple_of(TILE)
}

/// `B'` times a column of six.
#[inline(always)]
pub(crate) fn read_transform<S: Simd>(simd: S, d: [S::V; READ]) -> [S::V; READ] {
    let [four, minus_four, minus_five] = [4.0, -4.0, -5.0].map(|factor| simd.splat(factor));
    let [two, minus_two] = [2.0, -2.0].map(|factor| simd.splat(factor));
    let near_even = simd.mul_add(minus_four, d[2], d[4]);
    let near_odd = simd.mul_add(minus_four, d[1], d[3]);
    let far_even = simd.sub(d[4], d[2]);
    let far_odd = simd.sub(d[3], d[1]);
    [
        simd.mul_add(four, d[0], simd.mul_add(minus_five, d[2], d[4])),
        simd.add(near_even, near_odd),
        simd.sub(near_even, near_odd),
        simd.mul_add(two, far_odd, far_even),
        simd.mul_add(minus_two, far_odd, far_even),
        simd.mul_add(four, d[1], simd.mul_add(minus_five, d[3], d[5])),
    ]
}

/// `A'` times a column of six.
#[inline(always)]
pub(crate) fn write_transform<S: Simd>(simd: S, m: [S::V; READ]) -> [S::V; TILE] {
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| simd.splat(factor));
    let (near_sum, near_difference) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
    let (far_sum, far_difference) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
    [
        simd.add(simd.add(m[0], near_sum), far_sum),
        simd.mul_add(two, far_difference, near_difference),
        simd.mul_add(four, far_sum, near_sum),
        simd.add(simd.mul_add(eight, far_difference, near_difference), m[5]),
    ]
}

/// `A` times a column of four.
#[inline(always)]
pub(crate) fn gradient_transform<S: Simd>(simd: S, y: [S::V; TILE]) -> [S::V; READ] {
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| simd.splat(factor));
    let (near_even, near_odd) = (simd.add(y[0], y[2]), simd.add(y[1], y[3]));
    let far_even = simd.mul_add(four, y[2], y[0]);
    let far_odd = simd.mul_add(eight, y[3], simd.mul(two, y[1]));
    [
        y[0],
        simd.add(near_even, near_odd),
        simd.sub(near_even, near_odd),
        simd.add(far_even, far_odd),
        simd.sub(far_even, far_odd),
        y[3],
    ]
}

/// `G` times a column of three.
#[inline(always)]
pub(crate) fn weight_transform<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; READ] {
    let [quarter, sixth, twelfth, twenty_fourth] =
        [0.25, -1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|factor| simd.splat(factor));
    let near = simd.mul(sixth, simd.add(g[0], g[2]));
    let far = simd.mul_add(twenty_fourth, g[0], simd.mul(simd.splat(1.0 / 6.0), g[2]));
    [
        simd.mul(quarter, g[0]),
        simd.mul_add(sixth, g[1], near),
        simd.sub(near, simd.mul(sixth, g[1])),
        simd.mul_add(twelfth, g[1], far),
        simd.sub(far, simd.mul(twelfth, g[1])),
        g[2],
    ]
}

/// `G'` times a column of six.
#[inline(always)]
pub(crate) fn weight_gradient_transform<S: Simd>(simd: S, u: [S::V; READ]) -> [S::V; 3] {
    let [quarter, sixth, twelfth, twenty_fourth] =
        [0.25, -1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0].map(|factor| simd.splat(factor));
    let near_sum = simd.mul(sixth, simd.add(u[1], u[2]));
    let near_difference = simd.mul(sixth, simd.sub(u[1], u[2]));
    let far_sum = simd.add(u[3], u[4]);
    let far_difference = simd.sub(u[3], u[4]);
    [
        simd.mul_add(quarter, u[0], simd.mul_add(twenty_fourth, far_sum, near_sum)),
        simd.mul_add(twelfth, far_difference, near_difference),
        simd.add(simd.mul_add(simd.splat(1.0 / 6.0), far_sum, near_sum), u[5]),
    ]
}

/// Applies `transform` along rows, then along columns.
macro_rules! both_ways {
    ($simd:expr, $transform:ident, $rows:expr, $from:expr, $to:expr) => {{
        let mut half = [[$simd.zero(); $to]; $from];
        for (half, row) in half.iter_mut().zip($rows) {
            *half = $transform($simd, row);
        }
        let mut whole = [[$simd.zero(); $to]; $to];
        for col in 0..$to {
            let mut column = [$simd.zero(); $from];
            for (value, half) in column.iter_mut().zip(&half) {
                *value = half[col];
            }
            let column = $transform($simd, column);
            for (row, value) in whole.iter_mut().zip(column) {
                row[col] = value;
            }
        }
        whole
    }};
}

pub(crate) use both_ways;
