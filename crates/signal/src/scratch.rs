//! Per-thread working memory of the transforms, so that a clip costs no allocation but its result.

use std::cell::RefCell;

use realfft::{RealToComplex, num_complex::Complex};

/// Buffers of one real transform.
#[derive(Default)]
pub(crate) struct Scratch {
    input: Vec<f32>,
    bins: Vec<Complex<f32>>,
    work: Vec<Complex<f32>>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's buffers.
pub(crate) fn with_scratch<T>(job: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(job)
}

impl Scratch {
    /// Transforms what `fill` writes into the input buffer and returns the bins 0 to length / 2.
    pub(crate) fn transform(
        &mut self,
        plan: &dyn RealToComplex<f32>,
        fill: impl FnOnce(&mut [f32]),
    ) -> &[Complex<f32>] {
        self.input.resize(plan.len(), 0.0);
        self.bins.resize(plan.complex_len(), Complex::default());
        self.work.resize(plan.get_scratch_len(), Complex::default());
        fill(&mut self.input);
        plan.process_with_scratch(&mut self.input, &mut self.bins, &mut self.work)
            .expect("the buffers have just been sized by the plan");
        &self.bins
    }
}

/// Magnitudes of complex bins; `out` may be shorter than `bins`.
pub(crate) fn magnitudes(bins: &[Complex<f32>], out: &mut [f32]) {
    for (out, bin) in out.iter_mut().zip(bins) {
        *out = (bin.re * bin.re + bin.im * bin.im).sqrt();
    }
}
