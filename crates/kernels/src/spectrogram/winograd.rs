//! 3x3 convolutions at stride 1 with a quarter of the products: Winograd's minimal filtering
//! F(4x4, 3x3).
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
//! 0, 1, -1, 2, -2 and infinity; in single precision the error is some ten roundings.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::{Kernel, LANES, Lane, Simd, floats};
use crate::spectrogram::band::Band;
use crate::spectrogram::geometry::ConvPlan;
use crate::spectrogram::scratch::take;
use crate::spectrogram::tile::{ConvRow, TapGradient, conv_row, tap_gradient};

/// Rows and columns of outputs in a tile.
pub(crate) const TILE: usize = 4;

/// Rows and columns of inputs that a tile reads.
const READ: usize = TILE + 2;

/// Points of a transformed tile.
pub(crate) const POINTS: usize = READ * READ;

/// Tiles that are transformed and multiplied together.
const GROUP: usize = 16;

/// Tiles whose weight gradients are summed in registers.
const GRADIENT_GROUP: usize = 32;

/// Rows or columns up to whole tiles.
pub(crate) fn whole_tiles(size: usize) -> usize {
    size.next_multiple_of(TILE)
}

/// `B'` times a column of six.
#[inline(always)]
fn read_transform<S: Simd>(simd: S, d: [S::V; READ]) -> [S::V; READ] {
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
fn write_transform<S: Simd>(simd: S, m: [S::V; READ]) -> [S::V; TILE] {
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
fn gradient_transform<S: Simd>(simd: S, y: [S::V; TILE]) -> [S::V; READ] {
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
fn weight_transform<S: Simd>(simd: S, g: [S::V; 3]) -> [S::V; READ] {
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
fn weight_gradient_transform<S: Simd>(simd: S, u: [S::V; READ]) -> [S::V; 3] {
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

/// Tiles over some rows of an image, row after row.
#[derive(Clone, Copy)]
struct Grid {
    cols: usize,
    count: usize,
}

impl Grid {
    #[inline(always)]
    fn new(rows: usize, cols: usize) -> Self {
        let across = cols.div_ceil(TILE);
        Self { cols: across, count: rows.div_ceil(TILE) * across }
    }

    /// First row and column of a tile.
    #[inline(always)]
    fn place(self, tile: usize) -> [usize; 2] {
        [tile / self.cols * TILE, tile % self.cols * TILE]
    }
}

/// Tiles in the space of points: `[point][block][tile]`, planes an odd number of cache lines apart so
/// that the points of one tile do not compete for the same places in the cache.
struct Points {
    blocks: usize,
    tiles: usize,
}

impl Points {
    #[inline(always)]
    fn plane(&self) -> usize {
        (self.blocks * self.tiles) | 1
    }

    #[inline(always)]
    fn lanes(&self) -> usize {
        POINTS * self.plane()
    }

    #[inline(always)]
    fn at(&self, point: usize, block: usize, tile: usize) -> usize {
        point * self.plane() + block * self.tiles + tile
    }
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

/// Carries the inputs of tiles `first..first + points.tiles` to points.
#[inline(always)]
fn transform_inputs<S: Simd>(
    simd: S,
    band: &Band<'_>,
    grid: Grid,
    first: usize,
    points: &Points,
    to: &mut [Lane],
) {
    for block in 0..points.blocks {
        for tile in 0..points.tiles {
            let [row, col] = grid.place(first + tile);
            let mut rows = [[simd.zero(); READ]; READ];
            for (line, values) in rows.iter_mut().enumerate() {
                let start = band.at(block, row + line, col);
                for (value, lane) in values.iter_mut().zip(&band.lanes[start..start + READ]) {
                    *value = simd.load(&lane.0);
                }
            }
            let whole = both_ways!(simd, read_transform, rows, READ, READ);
            store_points(simd, &whole, points, block, tile, to);
        }
    }
}

#[inline(always)]
fn store_points<S: Simd>(
    simd: S,
    whole: &[[S::V; READ]; READ],
    points: &Points,
    block: usize,
    tile: usize,
    to: &mut [Lane],
) {
    let to = &mut to[..points.lanes()];
    for (row, values) in whole.iter().enumerate() {
        for (col, value) in values.iter().enumerate() {
            simd.store(*value, &mut to[points.at(row * READ + col, block, tile)].0);
        }
    }
}

/// Carries the outputs' gradient of tiles `first..first + points.tiles` to points; rows from `rows` on
/// belong to the next band and count as zero.
#[inline(always)]
fn transform_gradients<S: Simd>(
    simd: S,
    band: &Band<'_>,
    rows_end: usize,
    grid: Grid,
    first: usize,
    points: &Points,
    to: &mut [Lane],
) {
    for block in 0..points.blocks {
        for tile in 0..points.tiles {
            let [row, col] = grid.place(first + tile);
            let mut rows = [[simd.zero(); TILE]; TILE];
            for (line, values) in rows.iter_mut().enumerate().take(rows_end - row) {
                let start = band.at(block, row + line + 1, col + 1);
                for (value, lane) in values.iter_mut().zip(&band.lanes[start..start + TILE]) {
                    *value = simd.load(&lane.0);
                }
            }
            let whole = both_ways!(simd, gradient_transform, rows, TILE, READ);
            store_points(simd, &whole, points, block, tile, to);
        }
    }
}

/// Carries one block of products back and writes the outputs of tiles `first..first + points.tiles`.
#[inline(always)]
fn transform_outputs<S: Simd>(
    simd: S,
    products: &[Lane],
    points: &Points,
    grid: Grid,
    first: usize,
    target: &mut Target<'_>,
    block: usize,
) {
    let products = &products[..points.lanes()];
    for tile in 0..points.tiles {
        let mut half = [[simd.zero(); TILE]; READ];
        for (line, half) in half.iter_mut().enumerate() {
            let mut row = [simd.zero(); READ];
            for (col, value) in row.iter_mut().enumerate() {
                *value = simd.load(&products[points.at(line * READ + col, 0, tile)].0);
            }
            *half = write_transform(simd, row);
        }
        let [row, col] = grid.place(first + tile);
        let (rows, cols) = ((target.rows - row).min(TILE), (target.cols - col).min(TILE));
        let mut whole = [[simd.zero(); TILE]; TILE];
        for col in 0..TILE {
            let mut column = [simd.zero(); READ];
            for (value, half) in column.iter_mut().zip(&half) {
                *value = half[col];
            }
            for (row, value) in whole.iter_mut().zip(write_transform(simd, column)) {
                row[col] = value;
            }
        }
        for (line, values) in whole.iter().enumerate().take(rows) {
            let start = (block * target.rows + row + line) * target.cols + col;
            for (value, lane) in values.iter().zip(&mut target.output[start..start + cols]) {
                let before = if target.fresh { simd.zero() } else { simd.load(&lane.0) };
                simd.store(simd.add(before, *value), &mut lane.0);
            }
        }
    }
}

/// Where a convolution writes: `[block][row][col]`.
pub(crate) struct Target<'a> {
    pub(crate) output: &'a mut [Lane],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Whether what is there is overwritten or added to.
    pub(crate) fresh: bool,
}

/// Memory for tiles in the space of points.
#[derive(Debug, Default)]
pub(crate) struct PointScratch {
    read: Vec<Lane>,
    written: Vec<Lane>,
    offsets: Vec<usize>,
}

/// Convolves a band with a border of one into `target`; `blocks` of input and output.
#[inline(always)]
pub(crate) fn convolve<S: Simd>(
    simd: S,
    band: &Band<'_>,
    [inputs, outputs]: [usize; 2],
    weights: &[Lane],
    mut target: Target<'_>,
    scratch: &mut PointScratch,
) {
    let grid = Grid::new(target.rows, target.cols);
    let each = inputs * LANES;
    for first in (0..grid.count).step_by(GROUP) {
        let tiles = (grid.count - first).min(GROUP);
        let read = Points { blocks: inputs, tiles };
        let written = Points { blocks: 1, tiles };
        let values = take(&mut scratch.read, read.lanes());
        let products = take(&mut scratch.written, written.lanes());
        scratch.offsets.clear();
        scratch.offsets.extend((0..inputs).map(|block| block * tiles * LANES));
        transform_inputs(simd, band, grid, first, &read, values);
        for block in 0..outputs {
            for point in 0..POINTS {
                let row = ConvRow {
                    input: floats(&values[read.at(point, 0, 0)..]),
                    offsets: &scratch.offsets,
                    weights: &weights[(block * POINTS + point) * each..][..each],
                    output: &mut products[written.at(point, 0, 0)..][..tiles],
                    output_step: 1,
                    pixels: tiles,
                    fresh: true,
                };
                conv_row::<S, LANES, LANES>(simd, row);
            }
            transform_outputs(simd, products, &written, grid, first, &mut target, block);
        }
    }
}

/// Adds the gradient of the transformed weights over `rows` of the output, `[point][output block]
/// [input block][input channel]`; [`UnpackGradient`] carries it back.
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd>(
    simd: S,
    conv: &ConvPlan,
    [input, gradient]: [&Band<'_>; 2],
    rows: usize,
    sums: &mut [Lane],
    scratch: &mut PointScratch,
) {
    let (inputs, outputs) = (conv.input.blocks, conv.output.blocks);
    let grid = Grid::new(rows, conv.output.cols);
    for first in (0..grid.count).step_by(GRADIENT_GROUP) {
        let tiles = (grid.count - first).min(GRADIENT_GROUP);
        let read = Points { blocks: inputs, tiles };
        let written = Points { blocks: outputs, tiles };
        let values = take(&mut scratch.read, read.lanes());
        let slopes = take(&mut scratch.written, written.lanes());
        transform_inputs(simd, input, grid, first, &read, values);
        transform_gradients(simd, gradient, rows, grid, first, &written, slopes);
        for (place, sums) in sums.chunks_exact_mut(LANES).enumerate() {
            let (pair, from) = (place / inputs, place % inputs);
            let (point, to) = (pair / outputs, pair % outputs);
            let tap = TapGradient {
                input: floats(&values[read.at(point, from, 0)..]),
                input_row: 0,
                gradient: &slopes[written.at(point, to, 0)..],
                gradient_row: 0,
                rows: 1,
                pixels: tiles,
                sums,
            };
            tap_gradient::<S, LANES, LANES>(simd, tap);
        }
    }
}

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
    /// As [`weight_gradient`] leaves it.
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
