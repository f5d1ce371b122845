//! Bands: consecutive rows of an activation or a gradient, read through their norm into a small
//! buffer with a border of zeros, and convolved from there.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use std::ops::Range;

use crate::simd::{LANES, Lane, Simd, floats};
use crate::spectrogram::geometry::{ConvPlan, Phase, Shape, band_cols};
use crate::spectrogram::norm::{Pullback, Reading};
use crate::spectrogram::points::whole_tiles;
use crate::spectrogram::rows::{Pull, Read};
use crate::spectrogram::scratch::take;
use crate::spectrogram::tile::{ConvRow, TapGradient, conv_row, tap_gradient};

/// Output rows that are computed from one band: a band and what it yields fit the second-level cache.
const BAND_ROWS: usize = 16;

/// Rows band by band.
pub(crate) fn bands(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    rows.clone().step_by(BAND_ROWS).map(move |first| first..(first + BAND_ROWS).min(rows.end))
}

/// Rows of one image with a border of `halo` zero columns on each side.
pub(crate) struct Band<'a> {
    pub(crate) lanes: &'a [Lane],
    rows: usize,
    cols: usize,
}

impl<'a> Band<'a> {
    /// Rows without a border.
    pub(crate) fn plain(lanes: &'a [Lane], rows: usize, cols: usize) -> Self {
        Self { lanes, rows, cols }
    }

    /// Place of a vector.
    #[inline(always)]
    pub(crate) fn at(&self, block: usize, row: usize, col: usize) -> usize {
        (block * self.rows + row) * self.cols + col
    }

    /// The band from a row and column of a block on, as floats.
    #[inline(always)]
    fn from(&self, block: usize, row: usize, col: usize) -> &[f32] {
        floats(&self.lanes[self.at(block, row, col)..])
    }
}

/// The rows of a band, `[block][row]`, from row `first` of the image on, up to whole tiles where the
/// convolution goes by tiles.
struct Lines {
    shape: Shape,
    first: isize,
    count: usize,
    halo: usize,
    tiled: bool,
}

impl Lines {
    fn cols(&self) -> usize {
        band_cols(self.shape.cols, self.halo, self.tiled)
    }

    fn lanes(&self) -> usize {
        self.shape.blocks * self.count * self.cols()
    }

    /// Zeros the border of the line at `place`, or all of it where it lies outside of the image;
    /// else gives its block, its row in the image, and its inner part.
    #[inline(always)]
    fn border<'a>(
        &self,
        place: usize,
        line: &'a mut [Lane],
    ) -> Option<(usize, usize, &'a mut [Lane])> {
        let row = self.first + (place % self.count).cast_signed();
        if !(0..self.shape.rows.cast_signed()).contains(&row) {
            line.fill(Lane::ZERO);
            return None;
        }
        let end = self.halo + self.shape.cols;
        line[..self.halo].fill(Lane::ZERO);
        line[end..].fill(Lane::ZERO);
        Some((place / self.count, row.cast_unsigned(), &mut line[self.halo..end]))
    }
}

/// The band of `source` that a convolution needs for `rows` of its output.
#[inline(always)]
pub(crate) fn fill_input<'a, S: Simd>(
    simd: S,
    buffer: &'a mut Vec<Lane>,
    conv: &ConvPlan,
    rows: &Range<usize>,
    source: &[Lane],
    reading: &Reading,
) -> Band<'a> {
    let shape = conv.input;
    let first = (rows.start * conv.stride).cast_signed() - conv.pad[0].cast_signed();
    let tiled = conv.is_tiled();
    let outputs = if tiled { whole_tiles(rows.len()) } else { rows.len() };
    let count = (outputs - 1) * conv.stride + conv.kernel;
    let lines = Lines { shape, first, count, halo: conv.halo(), tiled };
    let lanes = take(buffer, lines.lanes());
    for (place, line) in lanes.chunks_exact_mut(lines.cols()).enumerate() {
        if let Some((block, row, inner)) = lines.border(place, line) {
            let start = shape.row(block, row);
            Read::new(simd, reading, block).row(&source[start..start + shape.cols], inner);
        }
    }
    Band { lanes, rows: count, cols: lines.cols() }
}

/// The gradient of `rows` of a convolution's output, one row more above and below where its kernel
/// reaches there.
#[inline(always)]
pub(crate) fn fill_gradient<'a, S: Simd>(
    simd: S,
    buffer: &'a mut Vec<Lane>,
    conv: &ConvPlan,
    rows: &Range<usize>,
    stored: Stored<'_>,
) -> Band<'a> {
    let shape = conv.output;
    let halo = conv.halo();
    let first = rows.start.cast_signed() - halo.cast_signed();
    let tiled = conv.is_tiled();
    let inner = if tiled { whole_tiles(rows.len()) } else { rows.len() };
    let lines = Lines { shape, first, count: inner + 2 * halo, halo, tiled };
    let lanes = take(buffer, lines.lanes());
    for (place, line) in lanes.chunks_exact_mut(lines.cols()).enumerate() {
        if let Some((block, row, inner)) = lines.border(place, line) {
            let span = shape.row(block, row)..shape.row(block, row) + shape.cols;
            let pull = Pull::new(simd, stored.pullback, block);
            pull.row(&stored.gradient[span.clone()], &stored.value[span], inner);
        }
    }
    Band { lanes, rows: lines.count, cols: lines.cols() }
}

/// A gradient as it is kept: behind the norm, with the value before it and the way back.
#[derive(Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) gradient: &'a [Lane],
    pub(crate) value: &'a [Lane],
    pub(crate) pullback: &'a Pullback,
}

/// Convolves `count` rows of `band` into `output`, `[output block][row][col]`.
#[inline(always)]
pub(crate) fn convolve<S: Simd>(
    simd: S,
    conv: &ConvPlan,
    band: &Band<'_>,
    weights: &[Lane],
    output: &mut [Lane],
    count: usize,
    fresh: bool,
) {
    let cols = conv.output.cols;
    let each = conv.taps() * LANES;
    for to in 0..conv.output.blocks {
        for from in 0..conv.input.blocks {
            let weights = &weights[(to * conv.input.blocks + from) * each..][..each];
            for row in 0..count {
                let row = ConvRow {
                    input: band.from(from, row * conv.stride, 0),
                    offsets: &conv.forward.offsets,
                    weights,
                    output: &mut output[(to * count + row) * cols..][..cols],
                    output_step: 1,
                    pixels: cols,
                    fresh: fresh && from == 0,
                };
                match conv.stride {
                    1 => conv_row::<S, LANES, LANES>(simd, row),
                    _ => conv_row::<S, LANES, { 2 * LANES }>(simd, row),
                }
            }
        }
    }
}

/// Adds the weights' gradient over `rows` of the output.
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd>(
    simd: S,
    conv: &ConvPlan,
    input: &Band<'_>,
    gradient: &Band<'_>,
    rows: usize,
    sums: &mut [Lane],
) {
    let halo = conv.halo();
    let mut sums = sums.chunks_exact_mut(LANES);
    for to in 0..conv.output.blocks {
        let start = (to * gradient.rows + halo) * gradient.cols + halo;
        for from in 0..conv.input.blocks {
            let origin = input.from(from, 0, 0);
            for &offset in &conv.forward.offsets {
                let Some(sums) = sums.next() else { return };
                let tap = TapGradient {
                    input: &origin[offset..],
                    input_row: conv.stride * input.cols * LANES,
                    gradient: &gradient.lanes[start..],
                    gradient_row: gradient.cols,
                    rows,
                    pixels: conv.output.cols,
                    sums,
                };
                match conv.stride {
                    1 => tap_gradient::<S, LANES, LANES>(simd, tap),
                    _ => tap_gradient::<S, LANES, { 2 * LANES }>(simd, tap),
                }
            }
        }
    }
}

/// The rows of the input whose gradient a band over `rows` of the output completes.
pub(crate) fn input_rows(conv: &ConvPlan, rows: &Range<usize>) -> Range<usize> {
    rows.start * conv.stride..(rows.end * conv.stride).min(conv.input.rows)
}

/// The input's gradient over [`input_rows`], into `output`, `[input block][row][col]`.
#[inline(always)]
pub(crate) fn convolve_transposed<S: Simd>(
    simd: S,
    conv: &ConvPlan,
    gradient: &Band<'_>,
    weights: &[Lane],
    output: &mut [Lane],
    rows: &Range<usize>,
) {
    let each = conv.taps() * LANES;
    let targets = input_rows(conv, rows);
    let cols = conv.input.cols;
    for to in 0..conv.input.blocks {
        for from in 0..conv.output.blocks {
            let weights = &weights[(to * conv.output.blocks + from) * each..][..each];
            for (place, row) in targets.clone().enumerate() {
                let row_class = (row + conv.pad[0]) % conv.stride;
                let base = (row + conv.pad[0] - row_class) / conv.stride - rows.start + conv.halo();
                let line = &mut output[(to * targets.len() + place) * cols..][..cols];
                for col in 0..conv.stride.min(cols) {
                    let col_class = (col + conv.pad[1]) % conv.stride;
                    let phase = &conv.transposed[row_class * conv.stride + col_class];
                    let start = (col + conv.pad[1] - col_class) / conv.stride + conv.halo();
                    transposed_row(
                        simd,
                        phase,
                        gradient,
                        [from, base, start],
                        weights,
                        LineFrom { line: &mut line[col..], step: conv.stride, fresh: from == 0 },
                    );
                }
            }
        }
    }
}

struct LineFrom<'a> {
    line: &'a mut [Lane],
    step: usize,
    fresh: bool,
}

#[inline(always)]
fn transposed_row<S: Simd>(
    simd: S,
    phase: &Phase,
    gradient: &Band<'_>,
    [block, row, col]: [usize; 3],
    weights: &[Lane],
    to: LineFrom<'_>,
) {
    let pixels = to.line.len().div_ceil(to.step);
    conv_row::<S, LANES, LANES>(
        simd,
        ConvRow {
            input: gradient.from(block, row - phase.reach[0], col - phase.reach[1]),
            offsets: &phase.offsets,
            weights: &weights[phase.first * LANES..][..phase.taps.len() * LANES],
            output: to.line,
            output_step: to.step,
            pixels,
            fresh: to.fresh,
        },
    );
}
