//! What is done to every value of some rows, feature by feature: plain loops, compiled for the
//! instruction set at hand.

#![expect(clippy::inline_always, reason = "compiled for the instruction set of its caller")]

use crate::simd::{Kernel, Simd};

/// Sums over rows of `a` and of `a * b`, for each feature, into two rows of zeros.
pub(super) struct Sums<'a> {
    pub(super) a: &'a [f32],
    pub(super) b: &'a [f32],
    pub(super) totals: [&'a mut [f32]; 2],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let [sums, products] = self.totals;
        let width = sums.len();
        for (a, b) in self.a.chunks_exact(width).zip(self.b.chunks_exact(width)) {
            for (((sum, product), &a), &b) in sums.iter_mut().zip(&mut *products).zip(a).zip(b) {
                *sum += a;
                *product += a * b;
            }
        }
    }
}

/// Mean over rows of each feature, and the sum of squares of what is left without it: two sweeps, as
/// one would cancel where the mean is large. Both begin as zeros.
pub(super) struct Moments<'a> {
    pub(super) values: &'a [f32],
    pub(super) mean: &'a mut [f32],
    pub(super) squares: &'a mut [f32],
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { values, mean, squares } = self;
        let width = mean.len();
        let share = width as f32 / values.len() as f32;
        for row in values.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
        }
        for mean in &mut *mean {
            *mean *= share;
        }
        for row in values.chunks_exact(width) {
            for ((square, value), mean) in squares.iter_mut().zip(row).zip(&*mean) {
                *square += (value - mean) * (value - mean);
            }
        }
    }
}

/// Standardises rows in place and puts them through gamma, beta and `ReLU`.
pub(super) struct Normalise<'a> {
    pub(super) mean: &'a [f32],
    pub(super) inverse: &'a [f32],
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) standard: &'a mut [f32],
    pub(super) result: &'a mut [f32],
}

impl Kernel for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { mean, inverse, gamma, beta, standard, result } = self;
        let width = mean.len();
        for (standard, result) in
            standard.chunks_exact_mut(width).zip(result.chunks_exact_mut(width))
        {
            let to = standard.iter_mut().zip(result);
            let by = mean.iter().zip(inverse).zip(gamma.iter().zip(beta));
            for ((standard, result), ((mean, inverse), (gamma, beta))) in to.zip(by) {
                *standard = (*standard - mean) * inverse;
                *result = (gamma * *standard + beta).max(0.0);
            }
        }
    }
}

/// Keeps a gradient where the `ReLU` behind it let something through.
pub(super) struct Gate<'a> {
    pub(super) result: &'a [f32],
    pub(super) slope: &'a mut [f32],
}

impl Kernel for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        for (slope, &result) in self.slope.iter_mut().zip(self.result) {
            *slope = if result > 0.0 { *slope } else { 0.0 };
        }
    }
}

/// Takes a gradient back through a norm with the batch's statistics, in place.
pub(super) struct PullBack<'a> {
    /// Gamma times the inverse deviation.
    pub(super) gain: &'a [f32],
    /// Mean over rows of the gradient, and of its product with the standardised values.
    pub(super) means: [&'a [f32]; 2],
    pub(super) standard: &'a [f32],
    pub(super) slope: &'a mut [f32],
}

impl Kernel for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { gain, means: [mean, product], standard, slope } = self;
        let width = gain.len();
        for (slope, standard) in slope.chunks_exact_mut(width).zip(standard.chunks_exact(width)) {
            let by = gain.iter().zip(mean).zip(product);
            for ((slope, standard), ((gain, mean), product)) in
                slope.iter_mut().zip(standard).zip(by)
            {
                *slope = gain * (*slope - (standard * product + mean));
            }
        }
    }
}

/// Gradient of the squared error, `2 scale (result - input)`, and the sum of squares over rows for
/// each feature, added to `squares`.
pub(super) struct Compare<'a> {
    pub(super) scale: f32,
    pub(super) input: &'a [f32],
    pub(super) result: &'a [f32],
    pub(super) slope: &'a mut [f32],
    pub(super) squares: &'a mut [f32],
}

impl Kernel for Compare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { scale, input, result, slope, squares } = self;
        let width = squares.len();
        let rows = slope
            .chunks_exact_mut(width)
            .zip(input.chunks_exact(width).zip(result.chunks_exact(width)));
        for (slope, (input, result)) in rows {
            let values = input.iter().zip(result).zip(&mut *squares);
            for (slope, ((input, result), square)) in slope.iter_mut().zip(values) {
                let difference = result - input;
                *square += difference * difference;
                *slope = 2.0 * scale * difference;
            }
        }
    }
}
