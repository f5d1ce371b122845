//! The two loops where nearly all the time goes: a row of a convolution, and the gradient of a
//! tap's weights, both held in registers while they sum.
//!
//! Each public function checks once that every address it will touch lies inside its slices; the
//! loops behind it then index freely.

#![expect(unsafe_code, reason = "bounds are checked once a row instead of once a product")]
#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

use crate::simd::{Kernel, LANES, Lane, Simd, floats, floats_mut};

/// One row of a convolution from one block of inputs to one block of outputs.
pub(crate) struct ConvRow<'a> {
    /// The band, from the origin of the row's first pixel on.
    pub(crate) input: &'a [f32],
    /// Floats from a pixel's origin to what each tap reads.
    pub(crate) offsets: &'a [usize],
    /// `[tap][input channel]` vectors of sixteen output channels.
    pub(crate) weights: &'a [Lane],
    /// Where the first pixel is written.
    pub(crate) output: &'a mut [Lane],
    /// Vectors between pixels of the output.
    pub(crate) output_step: usize,
    /// How many pixels.
    pub(crate) pixels: usize,
    /// Whether the row starts from zero or adds to what is there.
    pub(crate) fresh: bool,
}

/// Computes a row; `INPUTS` channels lie side by side, pixels are `STEP` floats apart.
#[inline(always)]
pub(crate) fn conv_row<S: Simd, const INPUTS: usize, const STEP: usize>(simd: S, row: ConvRow<'_>) {
    simd.outlined(RowKernel::<INPUTS, STEP>(row));
}

struct RowKernel<'a, const INPUTS: usize, const STEP: usize>(ConvRow<'a>);

impl<const INPUTS: usize, const STEP: usize> Kernel for RowKernel<'_, INPUTS, STEP> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let row = self.0;
        if row.pixels == 0 {
            return;
        }
        let farthest = row.offsets.iter().copied().max().unwrap_or(0);
        assert!(
            farthest + (row.pixels - 1) * STEP + INPUTS <= row.input.len(),
            "a tap leaves the band"
        );
        assert!(row.offsets.len() * INPUTS <= row.weights.len(), "weights are missing");
        assert!((row.pixels - 1) * row.output_step < row.output.len(), "the row leaves the output");
        let tile = Tile {
            input: row.input.as_ptr(),
            offsets: row.offsets,
            weights: floats(row.weights).as_ptr(),
            output: floats_mut(row.output).as_mut_ptr(),
            output_step: row.output_step * LANES,
            fresh: row.fresh,
        };
        let mut done = 0;
        // SAFETY: pixels `done..done + P` lie below `row.pixels`, for which the asserts above hold.
        unsafe {
            if S::REGISTERS >= 32 {
                while done + 16 <= row.pixels {
                    tile.compute::<S, 16, INPUTS, STEP>(simd, done);
                    done += 16;
                }
                while done + 8 <= row.pixels {
                    tile.compute::<S, 8, INPUTS, STEP>(simd, done);
                    done += 8;
                }
            } else if S::REGISTERS >= 8 {
                while done + 6 <= row.pixels {
                    tile.compute::<S, 6, INPUTS, STEP>(simd, done);
                    done += 6;
                }
            }
            while done + 4 <= row.pixels {
                tile.compute::<S, 4, INPUTS, STEP>(simd, done);
                done += 4;
            }
            while done < row.pixels {
                tile.compute::<S, 1, INPUTS, STEP>(simd, done);
                done += 1;
            }
        }
    }
}

struct Tile<'a> {
    input: *const f32,
    offsets: &'a [usize],
    weights: *const f32,
    output: *mut f32,
    output_step: usize,
    fresh: bool,
}

impl Tile<'_> {
    /// Sums `P` pixels from pixel `first` on.
    ///
    /// # Safety
    /// For each of these pixels and each offset, `INPUTS` floats must be readable at
    /// `input + pixel * STEP + offset`; `weights` must hold `INPUTS` vectors an offset; the
    /// pixels' places in `output` must be writable.
    #[inline(always)]
    unsafe fn compute<S: Simd, const P: usize, const INPUTS: usize, const STEP: usize>(
        &self,
        simd: S,
        first: usize,
    ) {
        // SAFETY: every address below is one that the caller vouches for.
        unsafe {
            let output = self.output.add(first * self.output_step);
            let mut sums = [simd.zero(); P];
            if !self.fresh {
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.load_at(output.add(pixel * self.output_step));
                }
            }
            let input = self.input.add(first * STEP);
            let mut weights = self.weights;
            for &offset in self.offsets {
                let origin = input.add(offset);
                for channel in 0..INPUTS {
                    let weight = simd.load_at(weights.add(channel * LANES));
                    for (pixel, sum) in sums.iter_mut().enumerate() {
                        let value = simd.splat(*origin.add(pixel * STEP + channel));
                        *sum = simd.mul_add(value, weight, *sum);
                    }
                }
                weights = weights.add(INPUTS * LANES);
            }
            for (pixel, sum) in sums.into_iter().enumerate() {
                simd.store_at(sum, output.add(pixel * self.output_step));
            }
        }
    }
}

/// The gradient of one tap's weights between one block of inputs and one of outputs.
pub(crate) struct TapGradient<'a> {
    /// The band of inputs, from what the tap reads for the first pixel on.
    pub(crate) input: &'a [f32],
    /// Floats between rows of the input that follow each other in the output.
    pub(crate) input_row: usize,
    /// The outputs' gradient, from the first pixel on.
    pub(crate) gradient: &'a [Lane],
    /// Vectors between rows of the gradient.
    pub(crate) gradient_row: usize,
    /// How many rows.
    pub(crate) rows: usize,
    /// Pixels of a row.
    pub(crate) pixels: usize,
    /// One vector of sixteen output channels for each input channel, added to.
    pub(crate) sums: &'a mut [Lane],
}

/// Adds `input * gradient` over all pixels; `INPUTS` channels side by side, pixels `STEP` floats apart.
#[inline(always)]
pub(crate) fn tap_gradient<S: Simd, const INPUTS: usize, const STEP: usize>(
    simd: S,
    tap: TapGradient<'_>,
) {
    simd.outlined(TapKernel::<INPUTS, STEP>(tap));
}

struct TapKernel<'a, const INPUTS: usize, const STEP: usize>(TapGradient<'a>);

impl<const INPUTS: usize, const STEP: usize> Kernel for TapKernel<'_, INPUTS, STEP> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut tap = self.0;
        if tap.rows == 0 || tap.pixels == 0 {
            return;
        }
        let last = tap.rows - 1;
        let end = last * tap.input_row + (tap.pixels - 1) * STEP + INPUTS;
        assert!(end <= tap.input.len(), "a tap leaves the band");
        assert!(
            last * tap.gradient_row + tap.pixels <= tap.gradient.len(),
            "gradients are missing"
        );
        assert!(tap.sums.len() >= INPUTS, "sums are missing");
        let mut first = 0;
        // SAFETY: channels `first..first + C` lie below `INPUTS`, for which the asserts above hold.
        unsafe {
            if S::REGISTERS >= 32 {
                while first + 16 <= INPUTS {
                    tap.channels::<S, 16, STEP>(simd, first);
                    first += 16;
                }
                while first + 7 <= INPUTS {
                    tap.channels::<S, 7, STEP>(simd, first);
                    first += 7;
                }
            }
            while first + 4 <= INPUTS {
                tap.channels::<S, 4, STEP>(simd, first);
                first += 4;
            }
            while first < INPUTS {
                tap.channels::<S, 1, STEP>(simd, first);
                first += 1;
            }
        }
    }
}

impl TapGradient<'_> {
    /// Sums `C` input channels from channel `first` on.
    ///
    /// # Safety
    /// For every pixel, channels `first..first + C` must be readable in the input and sixteen floats in
    /// the gradient; `sums` must hold these channels.
    #[inline(always)]
    unsafe fn channels<S: Simd, const C: usize, const STEP: usize>(
        &mut self,
        simd: S,
        first: usize,
    ) {
        let tap = self;
        let input = tap.input.as_ptr();
        let gradient = floats(tap.gradient).as_ptr();
        let mut sums = [simd.zero(); C];
        for row in 0..tap.rows {
            // SAFETY: rows and pixels lie below the counts, channels where the caller vouches for them.
            unsafe {
                let input = input.add(row * tap.input_row + first);
                let gradient = gradient.add(row * tap.gradient_row * LANES);
                for pixel in 0..tap.pixels {
                    let slope = simd.load_at(gradient.add(pixel * LANES));
                    for (channel, sum) in sums.iter_mut().enumerate() {
                        let value = simd.splat(*input.add(pixel * STEP + channel));
                        *sum = simd.mul_add(value, slope, *sum);
                    }
                }
            }
        }
        for (sum, lane) in sums.into_iter().zip(&mut tap.sums[first..first + C]) {
            let total = simd.add(simd.load(&lane.0), sum);
            simd.store(total, &mut lane.0);
        }
    }
}
