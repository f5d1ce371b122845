//! Matrix products over strided views, in register tiles.
//!
//! One product serves every convolution of the spectrum branch: a convolution over channels-last
//! rows is a matrix product whose left rows overlap, so nothing is copied out first. The inner
//! dimension is walked in *segments* (taps, or clips) of *depth* steps (channels, or positions);
//! the right side is read in panels of [`PANEL`] columns.
//!
//! Every element of the result is one chain of fused multiply-adds in one fixed order, whatever the
//! tile it falls into: results depend neither on how rows are split nor on the number of threads.

use std::marker::PhantomData;

use crate::simd::{Kernel, LANES, Level, Simd, dispatch};

/// Columns that a product handles together.
pub(crate) const PANEL: usize = 2 * LANES;

/// The left side: element `(row, segment, step)` stands at
/// `start + row * rows + segment * segments + step * steps`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) start: usize,
    pub(crate) row_stride: usize,
    pub(crate) segment_stride: isize,
    pub(crate) step_stride: usize,
}

/// The right side: [`PANEL`] consecutive columns of `(panel, segment, step)` stand at
/// `start + panel * panels + segment * segments + step * steps`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Right<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) start: usize,
    pub(crate) panel_stride: usize,
    pub(crate) segment_stride: usize,
    pub(crate) step_stride: usize,
}

/// What happens to a finished sum before it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Finish<'a> {
    /// Stored as it is.
    Keep,
    /// Negative sums become zero.
    Relu,
    /// Kept where the value of the same row and column here is positive, else zero: the gradient
    /// through the `ReLU` that made these values. Row `i` starts at the `i`-th offset.
    Gate(&'a [f32], &'a [usize]),
}

/// One product, ready to be run on ranges of rows and panels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product<'a> {
    pub(crate) left: Left<'a>,
    pub(crate) right: Right<'a>,
    pub(crate) segments: usize,
    pub(crate) depth: usize,
    /// Whether sums start from what the result holds rather than from zero.
    pub(crate) accumulate: bool,
    pub(crate) finish: Finish<'a>,
}

/// Where a result goes: row `i`, panel `p` covers `[offsets[i] + p * panel_stride; PANEL]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) offsets: &'a [usize],
    pub(crate) panel_stride: usize,
}

/// A slice that several threads write at once, each in places of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared<'a> {
    values: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

#[expect(unsafe_code, reason = "rows of one result are written by several threads")]
// SAFETY: the pointer stands for an exclusive borrow of plain floats; `Product::run_shared`, the
// only access, obliges its callers to keep concurrent writes apart.
unsafe impl Send for Shared<'_> {}
#[expect(unsafe_code, reason = "rows of one result are written by several threads")]
// SAFETY: as for `Send`.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self { values: values.as_mut_ptr(), len: values.len(), borrow: PhantomData }
    }

    /// What begins at `start`.
    ///
    /// # Panics
    /// When the slice is shorter.
    pub(crate) fn from(&self, start: usize) -> Self {
        assert!(start <= self.len, "{start} is beyond {} values", self.len);
        Self { values: self.values.wrapping_add(start), len: self.len - start, borrow: PhantomData }
    }
}

impl Product<'_> {
    /// Computes every row of `rows` in the given panels.
    ///
    /// # Panics
    /// When an operand or the result is shorter than the product reaches.
    pub(crate) fn run(
        &self,
        level: Level,
        panels: std::ops::Range<usize>,
        rows: Rows<'_>,
        out: &mut [f32],
    ) {
        let out = Shared::new(out);
        // SAFETY: `out` is borrowed exclusively for this call, so nobody else writes it.
        #[expect(unsafe_code, reason = "one writer is a special case of several")]
        unsafe {
            self.run_shared(level, panels, rows, &out);
        }
    }

    /// As [`Product::run`], into a slice that other threads are writing too.
    ///
    /// # Safety
    /// No other thread may access the panels of these rows of `out` during the call.
    ///
    /// # Panics
    /// When an operand or the result is shorter than the product reaches.
    #[expect(unsafe_code, reason = "rows of one result are written by several threads")]
    pub(crate) unsafe fn run_shared(
        &self,
        level: Level,
        panels: std::ops::Range<usize>,
        rows: Rows<'_>,
        out: &Shared<'_>,
    ) {
        if rows.offsets.is_empty() || panels.is_empty() {
            return;
        }
        self.check(&panels, rows, out.len);
        dispatch(level, Run { product: self, panels, rows, out: out.values });
    }

    /// Proves that every address of the product lies inside its slice.
    fn check(&self, panels: &std::ops::Range<usize>, rows: Rows<'_>, out_len: usize) {
        let last = |count: usize, stride: usize| count.saturating_sub(1) * stride;
        let last_panel = panels.end - 1;
        let furthest = rows.offsets.iter().max().map_or(0, |&offset| offset);
        let out_end = furthest + last_panel * rows.panel_stride + PANEL;
        assert!(out_end <= out_len, "result of {out_len} values, {out_end} written");
        if let Finish::Gate(gate, offsets) = self.finish {
            let furthest = offsets.iter().max().map_or(0, |&offset| offset);
            let end = furthest + last_panel * rows.panel_stride + PANEL;
            assert!(offsets.len() == rows.offsets.len() && end <= gate.len(), "gate too short");
        }
        if self.segments == 0 || self.depth == 0 {
            return;
        }
        let left = &self.left;
        let across = (self.segments.cast_signed() - 1) * left.segment_stride;
        let first = left.start.cast_signed() + across.min(0);
        let end = left.start
            + last(rows.offsets.len(), left.row_stride)
            + last(self.depth, left.step_stride)
            + across.max(0) as usize;
        assert!(first >= 0 && end < left.values.len(), "left side reaches from {first} to {end}");
        let right = &self.right;
        let end = right.start
            + last_panel * right.panel_stride
            + last(self.segments, right.segment_stride)
            + last(self.depth, right.step_stride)
            + PANEL;
        assert!(end <= right.values.len(), "right side reaches to {end}");
    }
}

/// A product on its way through [`dispatch`]; its addresses have been checked.
struct Run<'a> {
    product: &'a Product<'a>,
    panels: std::ops::Range<usize>,
    rows: Rows<'a>,
    out: *mut f32,
}

impl Kernel for Run<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "compiled for the instruction set of its caller")]
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (tallest, vectors) = tile_shape(S::REGISTERS);
        let rows = self.rows.offsets.len();
        let tiles = rows.div_ceil(tallest);
        for panel in self.panels.clone() {
            for tile in 0..tiles {
                // Tiles as even as they can be: the last one must not be a narrow rest.
                let row = tile * rows / tiles;
                let height = (tile + 1) * rows / tiles - row;
                for vector in (0..PANEL / LANES).step_by(vectors) {
                    self.tile_of_height(simd, height, Place { row, panel, column: vector * LANES });
                }
            }
        }
    }
}

/// Rows and vectors of a register tile: sums, one row of the right side and one value of the left
/// fit the registers.
const fn tile_shape(registers: usize) -> (usize, usize) {
    match registers {
        32.. => (12, 2),
        8..32 => (6, 1),
        _ => (2, 1),
    }
}

/// The first row, the panel, and the first column inside it of one tile.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    panel: usize,
    column: usize,
}

#[expect(clippy::inline_always, reason = "compiled for the instruction set of its caller")]
impl Run<'_> {
    #[inline(always)]
    fn tile_of_height<S: Simd>(&self, simd: S, height: usize, place: Place) {
        macro_rules! heights {
            ($vectors:literal: $($height:literal),*) => {
                match height {
                    $($height => self.tile::<S, $height, $vectors>(simd, place),)*
                    _ => unreachable!("tiles of {height} rows are not made"),
                }
            };
        }
        match tile_shape(S::REGISTERS) {
            (12, _) => heights!(2: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
            (6, _) => heights!(1: 1, 2, 3, 4, 5, 6),
            _ => heights!(1: 1, 2),
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(&self, simd: S, place: Place) {
        let column = place.panel * self.rows.panel_stride + place.column;
        let offsets = &self.rows.offsets[place.row..place.row + R];
        let mut sums = [[simd.zero(); V]; R];
        if self.product.accumulate {
            for (sums, offset) in sums.iter_mut().zip(offsets) {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `Product::check` found offset, panel and column inside the result.
                    #[expect(unsafe_code, reason = "addresses were checked once for the product")]
                    unsafe {
                        *sum = simd.load_at(self.out.add(offset + column + vector * LANES));
                    }
                }
            }
        }
        if self.product.left.row_stride == 1 {
            self.add_products::<S, R, V, true>(simd, place, &mut sums);
        } else {
            self.add_products::<S, R, V, false>(simd, place, &mut sums);
        }
        self.store(simd, place.row, column, &sums);
    }

    /// The inner loop; `ADJACENT` when rows of the left side are neighbouring values.
    #[inline(always)]
    fn add_products<S: Simd, const R: usize, const V: usize, const ADJACENT: bool>(
        &self,
        simd: S,
        place: Place,
        sums: &mut [[S::V; V]; R],
    ) {
        let Product { left, right, segments, depth, .. } = *self.product;
        let row_stride = if ADJACENT { 1 } else { left.row_stride };
        let left_start = left.start + place.row * left.row_stride;
        let right_start = right.start + place.panel * right.panel_stride + place.column;
        let mut acc = *sums;
        for segment in 0..segments {
            let left_at =
                left_start.wrapping_add_signed(segment.cast_signed() * left.segment_stride);
            // SAFETY: `Product::check` found the first and last address of either side, over all
            // rows, panels, segments and steps, inside their slices; these lie between.
            #[expect(unsafe_code, reason = "addresses were checked once for the product")]
            unsafe {
                let mut a = left.values.as_ptr().add(left_at);
                let mut b = right.values.as_ptr().add(right_start + segment * right.segment_stride);
                for _ in 0..depth {
                    let mut columns = [simd.zero(); V];
                    for (vector, column) in columns.iter_mut().enumerate() {
                        *column = simd.load_at(b.add(vector * LANES));
                    }
                    for (row, acc) in acc.iter_mut().enumerate() {
                        let value = simd.splat(*a.add(row * row_stride));
                        for (acc, &column) in acc.iter_mut().zip(&columns) {
                            *acc = simd.mul_add(value, column, *acc);
                        }
                    }
                    a = a.wrapping_add(left.step_stride);
                    b = b.wrapping_add(right.step_stride);
                }
            }
        }
        *sums = acc;
    }

    #[inline(always)]
    fn store<S: Simd, const R: usize, const V: usize>(
        &self,
        simd: S,
        first_row: usize,
        column: usize,
        sums: &[[S::V; V]; R],
    ) {
        for (row, sums) in (first_row..).zip(sums) {
            for (vector, &sum) in sums.iter().enumerate() {
                let at = column + vector * LANES;
                // SAFETY: `Product::check` found every row's offset plus the last column inside the
                // result, and inside the gate if there is one.
                #[expect(unsafe_code, reason = "addresses were checked once for the product")]
                unsafe {
                    let sum = match self.product.finish {
                        Finish::Keep => sum,
                        Finish::Relu => simd.relu(sum),
                        Finish::Gate(gate, offsets) => {
                            simd.gate(simd.load_at(gate.as_ptr().add(offsets[row] + at)), sum)
                        }
                    };
                    simd.store_at(sum, self.out.add(self.rows.offsets[row] + at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, panels, segments and depth of a product with room between everything it reads.
    #[derive(Clone, Copy, Debug)]
    struct Case {
        rows: usize,
        panels: usize,
        segments: usize,
        depth: usize,
        row_stride: usize,
        accumulate: bool,
    }

    fn values(salt: usize, count: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * 7 + salt * 13) as f32 * 0.37).sin()).collect()
    }

    /// Left and right side with strides of their own, and the offsets of rows in reverse order.
    fn operands(case: Case) -> (Vec<f32>, Vec<f32>, Vec<usize>) {
        let left = values(1, 11 + case.rows * case.row_stride + case.segments * 9 + case.depth * 3);
        let right =
            values(2, 5 + case.panels * 1000 + case.segments * 500 + case.depth * 40 + PANEL);
        let rows = (0..case.rows).rev().map(|row| row * case.panels * PANEL + 3).collect();
        (left, right, rows)
    }

    fn check(level: Level, case: Case, gated: bool) {
        let Case { rows, panels, segments, depth, row_stride, accumulate } = case;
        let (left, right, offsets) = operands(case);
        let before = values(3, rows * panels * PANEL + 3);
        let gate = values(4, before.len());
        let product = Product {
            left: Left { values: &left, start: 2, row_stride, segment_stride: 9, step_stride: 3 },
            right: Right {
                values: &right,
                start: 5,
                panel_stride: 1000,
                segment_stride: 500,
                step_stride: 40,
            },
            segments,
            depth,
            accumulate,
            finish: if gated { Finish::Gate(&gate, &offsets) } else { Finish::Relu },
        };
        let mut out = before.clone();
        product.run(level, 0..panels, Rows { offsets: &offsets, panel_stride: PANEL }, &mut out);
        for (row, offset) in offsets.iter().enumerate() {
            for column in 0..panels * PANEL {
                let at = offset + column;
                let mut sum = if accumulate { f64::from(before[at]) } else { 0.0 };
                for segment in 0..segments {
                    for step in 0..depth {
                        let a = left[2 + row * row_stride + segment * 9 + step * 3];
                        let from = 5 + column / PANEL * 1000 + column % PANEL;
                        let b = right[from + segment * 500 + step * 40];
                        sum += f64::from(a) * f64::from(b);
                    }
                }
                let keep = if gated { gate[at] > 0.0 } else { sum > 0.0 };
                let expected = if keep { sum } else { 0.0 };
                // Some sixty single-precision products of numbers below one.
                let difference = (f64::from(out[at]) - expected).abs();
                assert!(difference < 1e-5, "{} {case:?} row {row} column {column}", level.name());
            }
        }
        assert_eq!(out[..3], before[..3], "what lies before the first row stays");
    }

    #[test]
    fn equals_the_sum_of_products_for_every_height_of_tile() {
        for level in Level::available() {
            for rows in 1..=27 {
                for row_stride in [1, 4] {
                    let case = Case {
                        rows,
                        panels: 1 + rows % 3,
                        segments: 1 + rows % 2,
                        depth: 5 + rows,
                        row_stride,
                        accumulate: rows % 2 == 0,
                    };
                    check(level, case, false);
                    check(level, case, true);
                }
            }
        }
    }

    #[test]
    fn an_empty_sum_is_zero_or_what_was_there() {
        for accumulate in [false, true] {
            let case =
                Case { rows: 4, panels: 1, segments: 0, depth: 3, row_stride: 2, accumulate };
            check(Level::Portable, case, false);
        }
    }

    #[test]
    #[should_panic(expected = "left side reaches")]
    fn reading_beyond_the_left_side_is_refused() {
        let (left, right, out) = ([0.0; 10], [0.0; 2 * PANEL], &mut [0.0; PANEL]);
        let product = Product {
            left: Left {
                values: &left,
                start: 9,
                row_stride: 1,
                segment_stride: 0,
                step_stride: 1,
            },
            right: Right {
                values: &right,
                start: 0,
                panel_stride: 0,
                segment_stride: 0,
                step_stride: PANEL,
            },
            segments: 1,
            depth: 2,
            accumulate: false,
            finish: Finish::Keep,
        };
        product.run(Level::Portable, 0..1, Rows { offsets: &[0], panel_stride: PANEL }, out);
    }
}
