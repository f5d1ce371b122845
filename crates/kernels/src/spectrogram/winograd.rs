//! 3x3 convolutions at stride 1 with a quarter of the products, by the tiles of
//! [`points`](crate::spectrogram::points): groups of tiles are carried to points, multiplied point by
//! point, and carried back.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::{LANES, Lane, Simd, floats};
use crate::spectrogram::band::Band;
use crate::spectrogram::geometry::ConvPlan;
use crate::spectrogram::points::{
    POINTS, READ, TILE, both_ways, gradient_transform, read_transform, write_transform,
};
use crate::spectrogram::scratch::{PointScratch, take};
use crate::spectrogram::tile::{ConvRow, TapGradient, conv_row, tap_gradient};

/// Tiles that are transformed and multiplied together.
const GROUP: usize = 16;

/// Tiles whose weight gradients are summed in registers.
const GRADIENT_GROUP: usize = 32;

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
/// [input block][input channel]`; [`UnpackGradient`](crate::spectrogram::tile_weights::UnpackGradient) carries it back.
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
