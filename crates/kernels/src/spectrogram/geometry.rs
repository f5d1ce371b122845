//! Shapes, padding, and where each tap of a convolution reads.
//!
//! An activation of one clip is stored as `[row][block][col]` vectors of sixteen channels. A
//! convolution reads a *band* of it: consecutive rows, copied with one zero column on each side, so
//! that no tap ever needs a test for the edge.

use crate::simd::LANES;
use crate::spectrogram::points::{POINTS, whole_tiles};

/// One clip's activation in vectors of sixteen channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Blocks of sixteen channels.
    pub(crate) blocks: usize,
    /// Frames.
    pub(crate) rows: usize,
    /// Bins.
    pub(crate) cols: usize,
}

impl Shape {
    /// Vectors in one clip.
    pub(crate) fn lanes(self) -> usize {
        self.blocks * self.rows * self.cols
    }

    /// Channels.
    pub(crate) fn channels(self) -> usize {
        self.blocks * LANES
    }

    /// Place of the first vector of a row.
    pub(crate) fn row(self, block: usize, row: usize) -> usize {
        (row * self.blocks + block) * self.cols
    }

    /// Vectors in one row of all blocks.
    pub(crate) fn row_lanes(self) -> usize {
        self.blocks * self.cols
    }
}

/// Output size and leading padding of "same" convolution; an odd element of padding goes to the end.
pub(crate) fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let out = size.div_ceil(stride);
    let total = ((out - 1) * stride + kernel).saturating_sub(size);
    (out, total / 2)
}

/// The taps that reach one class of pixels, and where they stand among the packed weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Floats from the first pixel's origin in the band to what each tap reads.
    pub(crate) offsets: Vec<usize>,
    /// The taps (`row * kernel + col`) in the order of the offsets.
    pub(crate) taps: Vec<usize>,
    /// Taps of the phases before this one.
    pub(crate) first: usize,
    /// How many rows and columns the origin lies before the pixel's own place in the band.
    pub(crate) reach: [usize; 2],
}

/// A convolution with square kernel 3 or 1, stride 1 or 2, "same" padding.
#[derive(Clone, Debug)]
pub(crate) struct ConvPlan {
    /// Place of the weights among the parameters.
    pub(crate) weight: usize,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) pad: [usize; 2],
    /// Taps of the convolution itself, over a band of the input.
    pub(crate) forward: Phase,
    /// Taps of its transpose over a band of the output's gradient, one phase for each parity of
    /// input row and column, at `row class * stride + column class`.
    pub(crate) transposed: Vec<Phase>,
}

impl ConvPlan {
    pub(crate) fn new(
        weight: usize,
        input: Shape,
        blocks: usize,
        kernel: usize,
        stride: usize,
    ) -> Self {
        let (rows, pad_top) = same_padding(input.rows, kernel, stride);
        let (cols, pad_left) = same_padding(input.cols, kernel, stride);
        let output = Shape { blocks, rows, cols };
        let halo = kernel / 2;
        let tiled = is_tiled(kernel, stride);
        let input_cols = band_cols(input.cols, halo, tiled);
        let forward = Phase {
            offsets: (0..kernel * kernel)
                .map(|tap| (tap / kernel * input_cols + tap % kernel + halo - pad_left) * LANES)
                .collect(),
            taps: (0..kernel * kernel).collect(),
            first: 0,
            reach: [0, 0],
        };
        let transposed = transposed_phases(kernel, stride, band_cols(cols, halo, tiled));
        Self {
            weight,
            input,
            output,
            kernel,
            stride,
            pad: [pad_top, pad_left],
            forward,
            transposed,
        }
    }

    /// Columns of zeros on each side of a band.
    pub(crate) fn halo(&self) -> usize {
        self.kernel / 2
    }

    /// Whether the convolution goes by Winograd's tiles.
    pub(crate) fn is_tiled(&self) -> bool {
        is_tiled(self.kernel, self.stride)
    }

    /// Number of taps.
    pub(crate) fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Vectors of the packed weights, in either direction, and of their gradient.
    pub(crate) fn weight_lanes(&self) -> usize {
        let each = if self.is_tiled() { POINTS } else { self.taps() };
        self.input.blocks * self.output.blocks * each * LANES
    }
}

fn is_tiled(kernel: usize, stride: usize) -> bool {
    kernel == 3 && stride == 1
}

/// Columns of a band: a border of `halo`, and whole tiles where the convolution goes by tiles.
pub(crate) fn band_cols(cols: usize, halo: usize, tiled: bool) -> usize {
    2 * halo + if tiled { whole_tiles(cols) } else { cols }
}

/// For input row `h` and class `c = (h + pad) % stride`, tap `k` of that class reads gradient row
/// `(h + pad - c) / stride - (k - c) / stride`; columns alike.
fn transposed_phases(kernel: usize, stride: usize, band_cols: usize) -> Vec<Phase> {
    let class = |class: usize| -> Vec<usize> { (class..kernel).step_by(stride).collect() };
    let mut first = 0;
    let mut phases = Vec::new();
    for row_class in 0..stride {
        for col_class in 0..stride {
            let (rows, cols) = (class(row_class), class(col_class));
            let reach = [rows.len().saturating_sub(1), cols.len().saturating_sub(1)];
            let mut phase = Phase { offsets: Vec::new(), taps: Vec::new(), first, reach };
            for &row in &rows {
                for &col in &cols {
                    let up = reach[0] - row / stride;
                    let left = reach[1] - col / stride;
                    phase.offsets.push((up * band_cols + left) * LANES);
                    phase.taps.push(row * kernel + col);
                }
            }
            first += phase.taps.len();
            phases.push(phase);
        }
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_element_at_the_end() {
        for (size, kernel, stride, expected) in [
            (311, 7, 2, (156, 3)),
            (513, 7, 2, (257, 3)),
            (77, 3, 2, (39, 1)),
            (128, 3, 2, (64, 0)),
            (128, 3, 1, (128, 1)),
            (1, 3, 2, (1, 1)),
            (5, 1, 1, (5, 0)),
        ] {
            assert_eq!(same_padding(size, kernel, stride), expected, "{size} {kernel} {stride}");
        }
    }

    #[test]
    fn every_tap_belongs_to_one_transposed_phase() {
        for stride in [1, 2] {
            let shape = Shape { blocks: 1, rows: 9, cols: 8 };
            let conv = ConvPlan::new(0, shape, 1, 3, stride);
            let mut taps: Vec<_> =
                conv.transposed.iter().flat_map(|phase| phase.taps.clone()).collect();
            taps.sort_unstable();
            assert_eq!(taps, (0..9).collect::<Vec<_>>());
        }
    }
}
