//! What happens to one row between two convolutions: norms, ReLUs, pooling, skip connections, and
//! the sums that batch statistics and their gradients need.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::{LANES, Lane, Simd};
use crate::spectrogram::norm::{Pullback, Reading};

/// A [`Reading`] of one block, in registers.
#[derive(Clone, Copy)]
pub(crate) struct Read<S: Simd> {
    simd: S,
    scale: S::V,
    shift: S::V,
    floor_in: S::V,
    floor_out: S::V,
}

impl<S: Simd> Read<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, reading: &Reading, block: usize) -> Self {
        Self {
            simd,
            scale: simd.load(&reading.scale[block].0),
            shift: simd.load(&reading.shift[block].0),
            floor_in: simd.splat(reading.floor_in),
            floor_out: simd.splat(reading.floor_out),
        }
    }

    #[inline(always)]
    pub(crate) fn at(self, lane: &Lane) -> S::V {
        let value = self.simd.max(self.simd.load(&lane.0), self.floor_in);
        self.simd.max(self.simd.mul_add(value, self.scale, self.shift), self.floor_out)
    }

    /// Reads a row.
    #[inline(always)]
    pub(crate) fn row(self, from: &[Lane], to: &mut [Lane]) {
        for (value, out) in from.iter().zip(to) {
            self.simd.store(self.at(value), &mut out.0);
        }
    }

    /// Reads two rows and keeps the largest of each 2x2 window; the lower row may lie outside, and
    /// the last window may be one column wide.
    #[inline(always)]
    pub(crate) fn pooled_row(self, upper: &[Lane], lower: Option<&[Lane]>, to: &mut [Lane]) {
        for (col, out) in to.iter_mut().enumerate() {
            let window = 2 * col..(2 * col + 2).min(upper.len());
            let mut largest = self.at(&upper[window.start]);
            for value in &upper[window.start + 1..window.end] {
                largest = self.simd.max(largest, self.at(value));
            }
            for value in lower.map_or(&[][..], |row| &row[window.clone()]) {
                largest = self.simd.max(largest, self.at(value));
            }
            self.simd.store(largest, &mut out.0);
        }
    }

    /// Sends the gradient of each 2x2 window to the first of its largest values, row by row.
    #[inline(always)]
    pub(crate) fn unpool_row(
        self,
        source: Windows<'_>,
        pooled: &[Lane],
        gradient: &[Lane],
        upper: &mut [Lane],
        lower: Option<&mut [Lane]>,
    ) {
        let simd = self.simd;
        let mut lower = lower;
        for (col, (largest, slope)) in pooled.iter().zip(gradient).enumerate() {
            let largest = simd.load(&largest.0);
            let mut left = simd.load(&slope.0);
            let window = 2 * col..(2 * col + 2).min(source.upper.len());
            for place in window.clone() {
                left = self.give(largest, left, &source.upper[place], &mut upper[place]);
            }
            if let (Some(values), Some(row)) = (source.lower, lower.as_deref_mut()) {
                for place in window {
                    left = self.give(largest, left, &values[place], &mut row[place]);
                }
            }
        }
    }

    /// Writes `left` where the value is the largest, zero elsewhere; returns what is left after it.
    #[inline(always)]
    fn give(self, largest: S::V, left: S::V, value: &Lane, out: &mut Lane) -> S::V {
        let simd = self.simd;
        let value = self.at(value);
        let zero = simd.zero();
        simd.store(simd.select_greater(largest, value, zero, left), &mut out.0);
        simd.select_greater(largest, value, left, zero)
    }
}

/// The two rows that a row of 2x2 windows covers.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a> {
    pub(crate) upper: &'a [Lane],
    pub(crate) lower: Option<&'a [Lane]>,
}

/// A [`Pullback`] of one block, in registers.
#[derive(Clone, Copy)]
pub(crate) struct Pull<S: Simd> {
    simd: S,
    gain: S::V,
    slope: S::V,
    shift: S::V,
    floor: S::V,
}

impl<S: Simd> Pull<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, pullback: &Pullback, block: usize) -> Self {
        Self {
            simd,
            gain: simd.load(&pullback.gain[block].0),
            slope: simd.load(&pullback.slope[block].0),
            shift: simd.load(&pullback.shift[block].0),
            floor: simd.splat(pullback.floor),
        }
    }

    #[inline(always)]
    pub(crate) fn at(self, gradient: &Lane, value: &Lane) -> S::V {
        let simd = self.simd;
        let value = simd.load(&value.0);
        let bent = simd.mul_add(simd.max(value, self.floor), self.slope, self.shift);
        let slope = simd.mul_add(simd.load(&gradient.0), self.gain, bent);
        simd.select_greater(value, self.floor, slope, simd.zero())
    }

    /// Pulls a row back.
    #[inline(always)]
    pub(crate) fn row(self, gradient: &[Lane], value: &[Lane], to: &mut [Lane]) {
        for ((gradient, value), out) in gradient.iter().zip(value).zip(to) {
            self.simd.store(self.at(gradient, value), &mut out.0);
        }
    }
}

/// Sums of two quantities per channel of one block over a row.
pub(crate) struct RowSums<S: Simd> {
    simd: S,
    first: S::V,
    second: S::V,
}

impl<S: Simd> RowSums<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S) -> Self {
        Self { simd, first: simd.zero(), second: simd.zero() }
    }

    /// Adds `value` and `value * factor`.
    #[inline(always)]
    pub(crate) fn add(&mut self, value: S::V, factor: S::V) {
        self.first = self.simd.add(self.first, value);
        self.second = self.simd.mul_add(value, factor, self.second);
    }

    /// Adds the row's sums to those of a clip: all first sums of the channels, then all second ones.
    #[inline(always)]
    pub(crate) fn flush(self, block: usize, totals: &mut [f64]) {
        let (first, second) = totals.split_at_mut(totals.len() / 2);
        for (sum, totals) in [(self.first, first), (self.second, second)] {
            let mut lanes = [0.0; LANES];
            self.simd.store(sum, &mut lanes);
            for (total, lane) in totals[block * LANES..(block + 1) * LANES].iter_mut().zip(lanes) {
                *total += lane as f64;
            }
        }
    }
}
