//! One convolution over one clip, forward and backward, with everything that touches its rows fused
//! into it: the norms and ReLUs before it, the skip connection behind it, the sums for batch
//! statistics, and in the backward pass both of its gradients.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use std::ops::Range;

use crate::simd::{Kernel, Lane, Simd};
use crate::spectrogram::band::{
    Band, Stored, bands, convolve, convolve_transposed, fill_gradient, fill_input, input_rows,
    weight_gradient,
};
use crate::spectrogram::geometry::{ConvPlan, Shape};
use crate::spectrogram::norm::{Pullback, Reading};
use crate::spectrogram::rows::{Pull, Read, RowSums, Windows};
use crate::spectrogram::scratch::{Scratch, take};
use crate::spectrogram::winograd::{self, Target};

/// What a convolution's output is added to.
#[derive(Clone, Copy)]
pub(crate) enum Skip<'a> {
    /// Nothing.
    None,
    /// The block's input.
    Identity { source: &'a [Lane], reading: &'a Reading },
    /// A 1x1 convolution of the block's input after 2x2 pooling.
    Projected(Projection<'a>),
}

/// The skip connection of a block that halves.
#[derive(Clone, Copy)]
pub(crate) struct Projection<'a> {
    pub(crate) conv: &'a ConvPlan,
    /// Shape of the block's input.
    pub(crate) shape: Shape,
    pub(crate) source: &'a [Lane],
    pub(crate) reading: &'a Reading,
    /// Packed forward in the forward pass, transposed in the backward pass.
    pub(crate) weights: &'a [Lane],
}

impl Skip<'_> {
    /// The connection of one clip of a batch whose clips have `lanes` vectors behind the block.
    pub(crate) fn clip(self, clip: usize, lanes: usize) -> Self {
        match self {
            Self::None => Self::None,
            Self::Identity { source, reading } => {
                Self::Identity { source: &source[clip * lanes..][..lanes], reading }
            }
            Self::Projected(projection) => Self::Projected(projection.clip(clip)),
        }
    }
}

impl Projection<'_> {
    /// The connection of one clip of a batch.
    pub(crate) fn clip(self, clip: usize) -> Self {
        let lanes = self.shape.lanes();
        Self { source: &self.source[clip * lanes..][..lanes], ..self }
    }
}

/// A convolution of one clip.
pub(crate) struct ConvForward<'a> {
    pub(crate) conv: &'a ConvPlan,
    pub(crate) source: &'a [Lane],
    pub(crate) reading: &'a Reading,
    pub(crate) weights: &'a [Lane],
    pub(crate) skip: Skip<'a>,
    /// The rows of the output to compute.
    pub(crate) rows: Range<usize>,
    /// These rows alone.
    pub(crate) output: &'a mut [Lane],
    /// Sums of the output and of its squares per channel, added to; none in inference.
    pub(crate) sums: Option<&'a mut [f64]>,
    /// 0 where the sums are of the output's ReLU, else minus infinity.
    pub(crate) sums_floor: f32,
    pub(crate) scratch: &'a mut Scratch,
}

impl Kernel for ConvForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for rows in bands(self.rows.clone()) {
            self.band(simd, rows);
        }
    }
}

impl ConvForward<'_> {
    #[inline(always)]
    fn band<S: Simd>(&mut self, simd: S, rows: Range<usize>) {
        let conv = self.conv;
        let count = rows.len();
        let computed =
            take(&mut self.scratch.output, conv.output.blocks * count * conv.output.cols);
        if let Skip::Projected(skip) = self.skip {
            let pooled = pool(simd, &mut self.scratch.pooled, &skip, &rows);
            convolve(simd, skip.conv, &pooled, skip.weights, computed, count, true);
        }
        let fresh = !matches!(self.skip, Skip::Projected(_));
        let input = &mut self.scratch.input;
        let band = fill_input(simd, input, conv, &rows, self.source, self.reading);
        if conv.is_tiled() {
            let target = Target { output: computed, rows: count, cols: conv.output.cols, fresh };
            let blocks = [conv.input.blocks, conv.output.blocks];
            winograd::convolve(simd, &band, blocks, self.weights, target, &mut self.scratch.points);
        } else {
            convolve(simd, conv, &band, self.weights, computed, count, fresh);
        }
        let cols = conv.output.cols;
        let before = conv.output.row(0, self.rows.start);
        for (place, line) in computed.chunks_exact(cols).enumerate() {
            let block = place / count;
            let start = conv.output.row(block, rows.start + place % count);
            let output = &mut self.output[start - before..][..cols];
            let floor = simd.splat(self.sums_floor);
            let mut sums = RowSums::new(simd);
            match self.skip {
                Skip::Identity { source, reading } => {
                    let read = Read::new(simd, reading, block);
                    let source = &source[start..start + cols];
                    for ((value, skipped), out) in line.iter().zip(source).zip(output) {
                        let value = simd.add(simd.load(&value.0), read.at(skipped));
                        simd.store(value, &mut out.0);
                        let seen = simd.max(value, floor);
                        sums.add(seen, seen);
                    }
                }
                Skip::None | Skip::Projected(_) => {
                    for (value, out) in line.iter().zip(output) {
                        let value = simd.load(&value.0);
                        simd.store(value, &mut out.0);
                        let seen = simd.max(value, floor);
                        sums.add(seen, seen);
                    }
                }
            }
            if let Some(totals) = &mut self.sums {
                sums.flush(block, totals);
            }
        }
    }
}

/// The pooled rows that a projection reads for `rows` of its output.
#[inline(always)]
fn pool<'a, S: Simd>(
    simd: S,
    buffer: &'a mut Vec<Lane>,
    skip: &Projection<'_>,
    rows: &Range<usize>,
) -> Band<'a> {
    let pooled = skip.conv.input;
    let lanes = take(buffer, pooled.blocks * rows.len() * pooled.cols);
    for (place, line) in lanes.chunks_exact_mut(pooled.cols).enumerate() {
        let block = place / rows.len();
        let windows = windows(skip, block, rows.start + place % rows.len());
        Read::new(simd, skip.reading, block).pooled_row(windows.upper, windows.lower, line);
    }
    Band::plain(lanes, rows.len(), pooled.cols)
}

#[inline(always)]
fn windows<'a>(skip: &Projection<'a>, block: usize, row: usize) -> Windows<'a> {
    let line = |row: usize| &skip.source[skip.shape.row(block, row)..][..skip.shape.cols];
    Windows {
        upper: line(2 * row),
        lower: (2 * row + 1 < skip.shape.rows).then(|| line(2 * row + 1)),
    }
}

/// Which ReLUs the gradient of a convolution's input passes; 0 for one, minus infinity for none.
#[derive(Clone, Copy)]
pub(crate) struct Gates {
    /// Between the norm and the convolution.
    pub(crate) main: f32,
    /// Between the norm and the skip connection.
    pub(crate) skip: f32,
    /// Between the stored value and the norm.
    pub(crate) before_norm: f32,
}

/// What else reaches the gradient of a convolution's input.
pub(crate) enum SkipGradient<'a> {
    /// Nothing: the convolution is the only consumer.
    None,
    /// The gradient of the block's output, kept where the result goes.
    Identity { value: &'a [Lane], pullback: &'a Pullback },
    /// The gradient through pooling and 1x1 convolution.
    Projected { skip: Projection<'a>, stored: Stored<'a>, weight_gradient: &'a mut [Lane] },
}

/// Both gradients of a convolution over one clip.
pub(crate) struct ConvBackward<'a> {
    pub(crate) conv: &'a ConvPlan,
    /// The convolution's input as stored, and how it was read.
    pub(crate) source: &'a [Lane],
    pub(crate) reading: &'a Reading,
    /// The gradient of its output.
    pub(crate) stored: Stored<'a>,
    /// Packed transposed.
    pub(crate) weights: &'a [Lane],
    /// Added to.
    pub(crate) weight_gradient: &'a mut [Lane],
    pub(crate) gates: Gates,
    pub(crate) skip: SkipGradient<'a>,
    /// The gradient behind the input's norm.
    pub(crate) output: &'a mut [Lane],
    /// Sums of that gradient and of it times the norm's input, per channel, added to.
    pub(crate) sums: &'a mut [f64],
    pub(crate) scratch: &'a mut Scratch,
}

impl Kernel for ConvBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for rows in bands(0..self.conv.output.rows) {
            self.convolutions(simd, &rows);
            self.projection(simd, &rows);
            self.rows(simd, &input_rows(self.conv, &rows));
        }
    }
}

impl ConvBackward<'_> {
    /// The weights' gradient, and the input's into the scratch output.
    #[inline(always)]
    fn convolutions<S: Simd>(&mut self, simd: S, rows: &Range<usize>) {
        let conv = self.conv;
        let gradient = fill_gradient(simd, &mut self.scratch.gradient, conv, rows, self.stored);
        let input =
            fill_input(simd, &mut self.scratch.input, conv, rows, self.source, self.reading);
        let targets = input_rows(conv, rows).len();
        let cols = conv.input.cols;
        let computed = take(&mut self.scratch.output, conv.input.blocks * targets * cols);
        if conv.is_tiled() {
            let points = &mut self.scratch.points;
            let bands = [&input, &gradient];
            winograd::weight_gradient(simd, conv, bands, rows.len(), self.weight_gradient, points);
            let target = Target { output: computed, rows: targets, cols, fresh: true };
            let blocks = [conv.output.blocks, conv.input.blocks];
            winograd::convolve(simd, &gradient, blocks, self.weights, target, points);
        } else {
            weight_gradient(simd, conv, &input, &gradient, rows.len(), self.weight_gradient);
            convolve_transposed(simd, conv, &gradient, self.weights, computed, rows);
        }
    }

    /// The gradient through pooling and 1x1 convolution into the scratch skip rows.
    #[inline(always)]
    fn projection<S: Simd>(&mut self, simd: S, rows: &Range<usize>) {
        let SkipGradient::Projected { skip, stored, weight_gradient: sums } = &mut self.skip else {
            return;
        };
        let Scratch { gradient, pooled, pooled_gradient, skip: spread, .. } = &mut *self.scratch;
        let count = rows.len();
        let gradient = fill_gradient(simd, gradient, skip.conv, rows, *stored);
        let pooled = pool(simd, pooled, skip, rows);
        weight_gradient(simd, skip.conv, &pooled, &gradient, count, sums);
        let shape = skip.conv.input;
        let slopes = take(pooled_gradient, shape.blocks * count * shape.cols);
        convolve_transposed(simd, skip.conv, &gradient, skip.weights, slopes, rows);
        let targets = input_rows(self.conv, rows).len();
        let plane = targets * skip.shape.cols;
        let spread = take(spread, skip.shape.blocks * plane);
        for (block, plane) in spread.chunks_exact_mut(plane).enumerate() {
            let read = Read::new(simd, skip.reading, block);
            for (place, pair) in plane.chunks_mut(2 * skip.shape.cols).enumerate() {
                let line = (block * count + place) * shape.cols;
                let span = line..line + shape.cols;
                let source = windows(skip, block, rows.start + place);
                let (upper, lower) = pair.split_at_mut(skip.shape.cols);
                let lower = (!lower.is_empty()).then_some(lower);
                read.unpool_row(source, &pooled.lanes[span.clone()], &slopes[span], upper, lower);
            }
        }
    }

    /// Joins the two gradients, gates and stores them, and sums what the norm's gradient needs.
    #[inline(always)]
    fn rows<S: Simd>(&mut self, simd: S, targets: &Range<usize>) {
        let shape = self.conv.input;
        let count = targets.len();
        let Scratch { output: computed, skip, .. } = &mut *self.scratch;
        for place in 0..shape.blocks * count {
            let block = place / count;
            let start = shape.row(block, targets.start + place % count);
            let span = start..start + shape.cols;
            let line = place * shape.cols..(place + 1) * shape.cols;
            let join = Join {
                read: Read::new(simd, self.reading, block),
                gates: [self.gates.main, self.gates.skip, self.gates.before_norm]
                    .map(|gate| simd.splat(gate)),
            };
            let (source, output) = (&self.source[span.clone()], &mut self.output[span.clone()]);
            let computed = &computed[line.clone()];
            let sums = match &self.skip {
                SkipGradient::None => join.alone(simd, source, computed, output),
                SkipGradient::Identity { value, pullback } => {
                    let skip = take(skip, shape.cols);
                    Pull::new(simd, pullback, block).row(output, &value[span], skip);
                    join.with_skip(simd, source, [computed, skip], output)
                }
                SkipGradient::Projected { .. } => {
                    join.with_skip(simd, source, [computed, &skip[line]], output)
                }
            };
            sums.flush(block, self.sums);
        }
    }
}

/// How the gradients that reach a convolution's input become the one behind its norm.
struct Join<S: Simd> {
    read: Read<S>,
    /// Main, skip, before the norm.
    gates: [S::V; 3],
}

impl<S: Simd> Join<S> {
    #[inline(always)]
    fn alone(&self, simd: S, source: &[Lane], main: &[Lane], output: &mut [Lane]) -> RowSums<S> {
        let mut sums = RowSums::new(simd);
        for ((source, main), output) in source.iter().zip(main).zip(output) {
            let seen = self.read.at(source);
            let slope = simd.load(&main.0);
            let slope = simd.select_greater(seen, self.gates[0], slope, simd.zero());
            simd.store(slope, &mut output.0);
            sums.add(slope, simd.max(simd.load(&source.0), self.gates[2]));
        }
        sums
    }

    #[inline(always)]
    fn with_skip(
        &self,
        simd: S,
        source: &[Lane],
        [main, skip]: [&[Lane]; 2],
        output: &mut [Lane],
    ) -> RowSums<S> {
        let mut sums = RowSums::new(simd);
        for (((source, main), skip), output) in source.iter().zip(main).zip(skip).zip(output) {
            let seen = self.read.at(source);
            let main = simd.load(&main.0);
            let main = simd.select_greater(seen, self.gates[0], main, simd.zero());
            let skip = simd.load(&skip.0);
            let skip = simd.select_greater(seen, self.gates[1], skip, simd.zero());
            let slope = simd.add(main, skip);
            simd.store(slope, &mut output.0);
            sums.add(slope, simd.max(simd.load(&source.0), self.gates[2]));
        }
        sums
    }
}
