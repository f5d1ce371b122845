//! The stem: batch norm of every bin, a 7x7 convolution over one channel, batch norm, ReLU and
//! 3x3 pooling, without ever storing the convolution's output.
//!
//! Pooling commutes with a rising function, and so with norm and ReLU once a channel whose gamma is
//! negative is computed with its weights negated. So one pass over rows takes the sums for the
//! statistics and keeps only the pooled raw values. The backward pass computes the rows again and
//! finds the places of the maxima by comparing.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use std::ops::Range;

use crate::simd::{Kernel, LANES, Lane, Simd, floats, floats_mut};
use crate::spectrogram::config::STEM_KERNEL;
use crate::spectrogram::norm::Pullback;
use crate::spectrogram::plan::StemPlan;
use crate::spectrogram::rows::{Pull, RowSums};
use crate::spectrogram::scratch::{Scratch, take};
use crate::spectrogram::tile::{ConvRow, TapGradient, conv_row, tap_gradient};

/// Rows of the convolution computed at a time; even, so that pooling windows do not straddle more
/// than one row.
const BAND_ROWS: usize = 16;

/// Taps of the kernel.
const TAPS: usize = STEM_KERNEL * STEM_KERNEL;

/// The spectrogram of one clip and how its bins are normalised.
#[derive(Clone, Copy)]
pub(crate) struct Spectra<'a> {
    /// `[frames, bins]`.
    pub(crate) values: &'a [f32],
    pub(crate) frames: usize,
    pub(crate) bins: usize,
    /// Factor and addend of each bin.
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
}

/// A band of a spectrogram with zeros around it.
struct Padded<'a> {
    values: &'a [f32],
    cols: usize,
}

/// Columns of a band: what the last pixel's kernel reaches.
fn padded_cols(stem: &StemPlan, bins: usize) -> usize {
    let reached = (stem.conv.cols - 1) * stem.stride[1] + STEM_KERNEL;
    reached.max(bins + stem.pad[1])
}

/// The band that `rows` of the convolution read.
#[inline(always)]
fn fill<'a>(
    buffer: &'a mut Vec<f32>,
    stem: &StemPlan,
    spectra: Spectra<'_>,
    rows: &Range<usize>,
) -> Padded<'a> {
    let cols = padded_cols(stem, spectra.bins);
    let count = (rows.len() - 1) * stem.stride[0] + STEM_KERNEL;
    if buffer.len() < count * cols {
        buffer.resize(count * cols, 0.0);
    }
    let values = &mut buffer[..count * cols];
    for (place, line) in values.chunks_exact_mut(cols).enumerate() {
        let frame = (rows.start * stem.stride[0] + place).wrapping_sub(stem.pad[0]);
        if frame >= spectra.frames {
            line.fill(0.0);
            continue;
        }
        let (left, rest) = line.split_at_mut(stem.pad[1]);
        let (middle, right) = rest.split_at_mut(spectra.bins);
        left.fill(0.0);
        right.fill(0.0);
        let source = &spectra.values[frame * spectra.bins..][..spectra.bins];
        let affine = spectra.scale.iter().zip(spectra.shift);
        for ((out, value), (scale, shift)) in middle.iter_mut().zip(source).zip(affine) {
            *out = value * scale + shift;
        }
    }
    Padded { values, cols }
}

/// Rows of the convolution, `[block][row][col]` with room for one row more than a band.
#[inline(always)]
fn convolve<S: Simd>(
    simd: S,
    stem: &StemPlan,
    padded: &Padded<'_>,
    weights: &[Lane],
    output: &mut [Lane],
    rows: Range<usize>,
) {
    let cols = stem.conv.cols;
    let offsets: [usize; STEM_KERNEL] = std::array::from_fn(|row| row * padded.cols);
    for block in 0..stem.conv.blocks {
        let weights = &weights[block * TAPS..][..TAPS];
        for (place, to) in rows.clone().enumerate() {
            let row = ConvRow {
                input: &padded.values[place * stem.stride[0] * padded.cols..],
                offsets: &offsets,
                weights,
                output: &mut output[(block * (BAND_ROWS + 1) + to) * cols..][..cols],
                output_step: 1,
                pixels: cols,
                fresh: true,
            };
            match stem.stride[1] {
                1 => conv_row::<S, STEM_KERNEL, 1>(simd, row),
                2 => conv_row::<S, STEM_KERNEL, 2>(simd, row),
                3 => conv_row::<S, STEM_KERNEL, 3>(simd, row),
                _ => conv_row::<S, STEM_KERNEL, 4>(simd, row),
            }
        }
    }
}

/// The bands of some rows of the convolution: rows that a band completes, and rows that it computes.
/// A band computes one row more than it completes, which the pooling of its last rows needs; the
/// next band starts with it.
fn bands(rows: Range<usize>, last: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    rows.clone().step_by(BAND_ROWS).map(move |first| {
        let end = (first + BAND_ROWS).min(rows.end);
        let fresh = if first == rows.start { first } else { first + 1 };
        (first..end, fresh..(end + 1).min(last))
    })
}

/// Pooled rows whose windows start within `rows`.
fn pooled_rows(stem: &StemPlan, rows: &Range<usize>) -> Range<usize> {
    rows.start / 2..rows.end.div_ceil(2).min(stem.pooled.rows)
}

/// The stem over one clip.
pub(crate) struct StemForward<'a> {
    pub(crate) stem: &'a StemPlan,
    pub(crate) spectra: Spectra<'a>,
    /// `[block][row][col]` vectors of sixteen channels, signs as the norm's gammas.
    pub(crate) weights: &'a [Lane],
    /// The pooled rows to compute.
    pub(crate) rows: Range<usize>,
    /// The largest raw value of each window, these rows alone.
    pub(crate) pooled: &'a mut [Lane],
    /// Sums of the convolution and of its squares per channel, added to; none in inference.
    pub(crate) sums: Option<&'a mut [f64]>,
    pub(crate) scratch: &'a mut Scratch,
}

impl Kernel for StemForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let stem = self.stem;
        let cols = stem.conv.cols;
        let plane = (BAND_ROWS + 1) * cols;
        let Scratch { spectra, output, .. } = self.scratch;
        let computed = take(output, stem.conv.blocks * plane);
        let before = stem.pooled.row(0, self.rows.start);
        // The statistics count rows that no window covers.
        let is_last = self.rows.end == stem.pooled.rows;
        let end = if is_last { stem.conv.rows } else { 2 * self.rows.end };
        for (rows, fresh) in bands(2 * self.rows.start..end, stem.conv.rows) {
            if !fresh.is_empty() {
                let padded = fill(spectra, stem, self.spectra, &fresh);
                let to = fresh.start - rows.start..fresh.end - rows.start;
                convolve(simd, stem, &padded, self.weights, computed, to);
            }
            for (block, computed) in computed.chunks_exact_mut(plane).enumerate() {
                if let Some(totals) = &mut self.sums {
                    for line in computed[..rows.len() * cols].chunks_exact(cols) {
                        let mut sums = RowSums::new(simd);
                        for value in line {
                            let value = simd.load(&value.0);
                            sums.add(value, value);
                        }
                        sums.flush(block, totals);
                    }
                }
                for row in pooled_rows(stem, &rows) {
                    let start = stem.pooled.row(block, row) - before;
                    let output = &mut self.pooled[start..start + stem.pooled.cols];
                    pool_row(simd, &computed[(2 * row - rows.start) * cols..], cols, output);
                }
                computed.copy_within(rows.len() * cols..(rows.len() + 1) * cols, 0);
            }
        }
    }
}

/// The largest value of each 3x3 window of the first three rows.
#[inline(always)]
fn pool_row<S: Simd>(simd: S, rows: &[Lane], cols: usize, output: &mut [Lane]) {
    let (top, rest) = rows.split_at(cols);
    let (middle, bottom) = rest.split_at(cols);
    for (col, out) in output.iter_mut().enumerate() {
        let mut largest = simd.load(&top[2 * col].0);
        for row in [top, middle, bottom] {
            for value in &row[2 * col..2 * col + 3] {
                largest = simd.max(largest, simd.load(&value.0));
            }
        }
        simd.store(largest, &mut out.0);
    }
}

/// What one chunk of clips adds to the stem's gradient, per column of the convolution's output. The
/// columns are kept apart because each bin has a norm of its own.
#[derive(Debug, Default, Clone)]
pub(crate) struct StemSums {
    /// `[block][col][tap]`: gradient times normalised spectrogram.
    pub(crate) products: Vec<Lane>,
    /// `[block][col]`: gradient.
    pub(crate) totals: Vec<Lane>,
    /// `[block][kernel row][col]`: gradient where that row of the kernel lies outside.
    pub(crate) outside: Vec<Lane>,
}

impl StemSums {
    /// Adds the sums of another chunk.
    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.products, &other.products),
            (&mut self.totals, &other.totals),
            (&mut self.outside, &other.outside),
        ];
        for (sums, others) in pairs {
            for (sum, other) in floats_mut(sums).iter_mut().zip(floats(others)) {
                *sum += other;
            }
        }
    }

    /// Zeros of the right size, in the memory that is there.
    pub(crate) fn reset(&mut self, stem: &StemPlan) {
        let columns = stem.conv.blocks * stem.conv.cols;
        for (sums, each) in
            [(&mut self.products, TAPS), (&mut self.totals, 1), (&mut self.outside, STEM_KERNEL)]
        {
            sums.clear();
            sums.resize(columns * each, Lane::ZERO);
        }
    }
}

/// The stem's gradient over one clip.
pub(crate) struct StemBackward<'a> {
    pub(crate) stem: &'a StemPlan,
    /// As in the forward pass.
    pub(crate) spectra: Spectra<'a>,
    /// With scale and shift to zero mean and unit variance alone.
    pub(crate) normalised: Spectra<'a>,
    pub(crate) weights: &'a [Lane],
    pub(crate) pooled: &'a [Lane],
    /// Gradient behind norm and ReLU at the pooled values.
    pub(crate) gradient: &'a [Lane],
    pub(crate) pullback: &'a Pullback,
    pub(crate) sums: &'a mut StemSums,
    pub(crate) scratch: &'a mut Scratch,
}

impl Kernel for StemBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let stem = self.stem;
        let cols = stem.conv.cols;
        let plane = (BAND_ROWS + 1) * cols;
        let Scratch { spectra, normalised, output, gradient, .. } = self.scratch;
        let computed = take(output, stem.conv.blocks * plane);
        let slopes = take(gradient, stem.conv.blocks * plane);
        slopes.fill(Lane::ZERO);
        for (rows, fresh) in bands(0..stem.conv.rows, stem.conv.rows) {
            if !fresh.is_empty() {
                let padded = fill(spectra, stem, self.spectra, &fresh);
                let to = fresh.start - rows.start..fresh.end - rows.start;
                convolve(simd, stem, &padded, self.weights, computed, to);
            }
            let padded = fill(normalised, stem, self.normalised, &rows);
            let planes = computed.chunks_exact_mut(plane).zip(slopes.chunks_exact_mut(plane));
            for (block, (computed, slopes)) in planes.enumerate() {
                for row in pooled_rows(stem, &rows) {
                    let start = stem.pooled.row(block, row);
                    let span = start..start + stem.pooled.cols;
                    let first = (2 * row - rows.start) * cols;
                    let pooled = [&self.pooled[span.clone()], &self.gradient[span]];
                    unpool_row(simd, &computed[first..], pooled, cols, &mut slopes[first..]);
                }
                let done = rows.len() * cols;
                let pull = Pull::new(simd, self.pullback, block);
                for (slope, value) in slopes[..done].iter_mut().zip(&computed[..done]) {
                    let pulled = pull.at(slope, value);
                    simd.store(pulled, &mut slope.0);
                }
                accumulate(simd, stem, &padded, &slopes[..done], block, self.sums);
                edges(simd, stem, self.spectra.frames, &rows, &slopes[..done], block, self.sums);
                for lanes in [&mut *computed, &mut *slopes] {
                    lanes.copy_within(done..done + cols, 0);
                }
                slopes[cols..].fill(Lane::ZERO);
            }
        }
    }
}

/// Adds each window's gradient to the place of the first of its largest values.
#[inline(always)]
fn unpool_row<S: Simd>(
    simd: S,
    values: &[Lane],
    [pooled, gradient]: [&[Lane]; 2],
    cols: usize,
    slopes: &mut [Lane],
) {
    let zero = simd.zero();
    for (col, (largest, slope)) in pooled.iter().zip(gradient).enumerate() {
        let largest = simd.load(&largest.0);
        let mut left = simd.load(&slope.0);
        for row in 0..3 {
            let window = row * cols + 2 * col..row * cols + 2 * col + 3;
            for (value, slope) in values[window.clone()].iter().zip(&mut slopes[window]) {
                let value = simd.load(&value.0);
                let given = simd.select_greater(largest, value, zero, left);
                left = simd.select_greater(largest, value, left, zero);
                simd.store(simd.add(simd.load(&slope.0), given), &mut slope.0);
            }
        }
    }
}

/// Adds gradient times spectrogram over a band's rows, column by column.
#[inline(always)]
fn accumulate<S: Simd>(
    simd: S,
    stem: &StemPlan,
    padded: &Padded<'_>,
    slopes: &[Lane],
    block: usize,
    sums: &mut StemSums,
) {
    let cols = stem.conv.cols;
    for col in 0..cols {
        let sums = &mut sums.products[(block * cols + col) * TAPS..][..TAPS];
        for (kernel_row, sums) in sums.chunks_exact_mut(STEM_KERNEL).enumerate() {
            let tap = TapGradient {
                input: &padded.values[kernel_row * padded.cols + col * stem.stride[1]..],
                input_row: stem.stride[0] * padded.cols,
                gradient: &slopes[col..],
                gradient_row: cols,
                rows: slopes.len() / cols,
                pixels: 1,
                sums,
            };
            tap_gradient::<S, STEM_KERNEL, 1>(simd, tap);
        }
    }
}

/// Adds the gradient alone, and what of it lies where a row of the kernel reads only padding.
#[inline(always)]
fn edges<S: Simd>(
    simd: S,
    stem: &StemPlan,
    frames: usize,
    rows: &Range<usize>,
    slopes: &[Lane],
    block: usize,
    sums: &mut StemSums,
) {
    let cols = stem.conv.cols;
    for (row, line) in rows.clone().zip(slopes.chunks_exact(cols)) {
        add_row(simd, line, &mut sums.totals[block * cols..][..cols]);
        for kernel_row in 0..STEM_KERNEL {
            let frame = (row * stem.stride[0] + kernel_row).wrapping_sub(stem.pad[0]);
            if frame >= frames {
                let start = (block * STEM_KERNEL + kernel_row) * cols;
                add_row(simd, line, &mut sums.outside[start..start + cols]);
            }
        }
    }
}

#[inline(always)]
fn add_row<S: Simd>(simd: S, line: &[Lane], to: &mut [Lane]) {
    for (value, sum) in line.iter().zip(to) {
        let total = simd.add(simd.load(&sum.0), simd.load(&value.0));
        simd.store(total, &mut sum.0);
    }
}

/// What the stem's own parameters get from the sums over all clips.
pub(crate) struct StemGradient {
    /// `[channel, 1, row, col]`.
    pub(crate) weight: Vec<f32>,
    /// Gradients of the bins' gammas and betas.
    pub(crate) bins: [Vec<f32>; 2],
}

/// Gathers the chunks' sums into the first: a bin's gamma and beta reach the weights, and the
/// weights the bins.
pub(crate) fn stem_gradient(
    stem: &StemPlan,
    chunks: &mut [StemSums],
    weights: &[Lane],
    signs: &[f32],
    affine: Option<[&[f32]; 2]>,
    bins: usize,
) -> StemGradient {
    let mut weight = vec![0.0_f64; stem.conv.channels() * TAPS];
    let mut gamma = vec![0.0_f64; bins];
    let mut beta = vec![0.0_f64; bins];
    let cols = stem.conv.cols;
    let Some((sums, others)) = chunks.split_first_mut() else {
        unreachable!("a batch has at least one chunk of clips")
    };
    for other in others {
        sums.add(other);
    }
    for block in 0..stem.conv.blocks {
        for col in 0..cols {
            for lane in 0..LANES {
                let all = sums.totals[block * cols + col].0[lane] as f64;
                for kernel_row in 0..STEM_KERNEL {
                    let place = (block * STEM_KERNEL + kernel_row) * cols + col;
                    let inside = all - sums.outside[place].0[lane] as f64;
                    for kernel_col in 0..STEM_KERNEL {
                        let bin = (col * stem.stride[1] + kernel_col).wrapping_sub(stem.pad[1]);
                        if bin >= bins {
                            continue;
                        }
                        let tap = kernel_row * STEM_KERNEL + kernel_col;
                        let place = (block * cols + col) * TAPS + tap;
                        let product = sums.products[place].0[lane] as f64;
                        let factor = weights[block * TAPS + tap].0[lane] as f64;
                        let [scale, shift] =
                            affine.map_or([1.0, 0.0], |pair| pair.map(|values| values[bin] as f64));
                        weight[(block * LANES + lane) * TAPS + tap] +=
                            scale * product + shift * inside;
                        gamma[bin] += factor * product;
                        beta[bin] += factor * inside;
                    }
                }
            }
        }
    }
    let weight = weight.iter().zip(signs.iter().flat_map(|sign| [*sign; TAPS]));
    StemGradient {
        weight: weight.map(|(sum, sign)| *sum as f32 * sign).collect(),
        bins: [gamma, beta].map(|sums| sums.iter().map(|sum| *sum as f32).collect()),
    }
}

/// `[block][row][col]` vectors of sixteen channels, each times its sign.
pub(crate) fn pack_stem(weights: &[f32], signs: &[f32]) -> Vec<Lane> {
    let mut packed = vec![Lane::ZERO; weights.len() / LANES];
    for (place, value) in weights.iter().enumerate() {
        let (channel, tap) = (place / TAPS, place % TAPS);
        packed[channel / LANES * TAPS + tap].0[channel % LANES] = value * signs[channel];
    }
    packed
}

/// -1 where a channel is computed with its weights negated, so that its norm rises.
pub(crate) fn stem_signs(affine: Option<[&[f32]; 2]>, channels: usize) -> Vec<f32> {
    affine.map_or_else(
        || vec![1.0; channels],
        |[gamma, _]| gamma.iter().map(|gamma| if *gamma < 0.0 { -1.0 } else { 1.0 }).collect(),
    )
}
