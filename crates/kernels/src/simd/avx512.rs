//! AVX-512F: one register a vector.

#![expect(unsafe_code, reason = "processor intrinsics, each with its reason")]

use std::arch::x86_64::{
    __m512, _CMP_GT_OQ, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_mask_blend_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps,
    _mm512_sub_ps,
};

use super::{
    level::Level,
    vector::{Kernel, LANES, Simd, tree_sum},
};

/// Proof that the processor has AVX-512F; only [`run`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

/// Runs a kernel compiled for AVX-512F.
///
/// # Panics
/// When the processor lacks it.
#[inline]
pub(super) fn run<K: Kernel>(kernel: K) -> K::Output {
    assert!(Level::Avx512.is_available(), "AVX-512F is missing");
    // SAFETY: the features that `entry` enables were just found on this processor.
    unsafe { entry(kernel) }
}

#[inline(never)]
#[target_feature(enable = "avx512f,avx2,fma")]
fn entry<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

// SAFETY of every block below: a value of `Avx512` exists only inside `run`, which checked the
// features; the pointer forms pass the caller's promise on to unaligned loads and stores.
impl Simd for Avx512 {
    type V = __m512;

    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        // SAFETY: AVX-512F is there; the reference covers sixteen floats.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, value: __m512, to: &mut [f32; LANES]) {
        // SAFETY: AVX-512F is there; the reference covers sixteen floats.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> __m512 {
        // SAFETY: AVX-512F is there; the caller promises sixteen readable floats.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store_at(self, value: __m512, to: *mut f32) {
        // SAFETY: AVX-512F is there; the caller promises sixteen writable floats.
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    fn outlined<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the token proves the features that `entry` enables.
        unsafe { entry(kernel) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn select_greater(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: AVX-512F is there, see above.
        unsafe {
            let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b);
            _mm512_mask_blend_ps(mask, no, yes)
        }
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(a, &mut lanes);
        tree_sum(lanes)
    }
}
