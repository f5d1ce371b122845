//! AVX2 with fused multiply-add: two registers a vector.

#![expect(unsafe_code, reason = "processor intrinsics, each with its reason")]

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _mm256_add_ps, _mm256_blendv_ps, _mm256_cmp_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::{
    level::Level,
    vector::{Kernel, LANES, Simd, tree_sum},
};

/// Proof that the processor has AVX2 and FMA; only [`run`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// Runs a kernel compiled for AVX2 and FMA.
///
/// # Panics
/// When the processor lacks them.
#[inline]
pub(super) fn run<K: Kernel>(kernel: K) -> K::Output {
    assert!(Level::Avx2.is_available(), "AVX2 or FMA is missing");
    // SAFETY: the features that `entry` enables were just found on this processor.
    unsafe { entry(kernel) }
}

#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn entry<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// Applies a two-operand intrinsic to both halves.
macro_rules! halves {
    ($intrinsic:ident, $a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        // SAFETY: a value of `Avx2` exists only inside `run`, which checked the features.
        unsafe { [$intrinsic(a[0], b[0]), $intrinsic(a[1], b[1])] }
    }};
}

impl Simd for Avx2 {
    type V = [__m256; 2];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        // SAFETY: AVX2 is there, as its token proves.
        unsafe { [_mm256_set1_ps(value); 2] }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        // SAFETY: the reference covers sixteen floats.
        unsafe { self.load_at(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, value: Self::V, to: &mut [f32; LANES]) {
        // SAFETY: the reference covers sixteen floats.
        unsafe { self.store_at(value, to.as_mut_ptr()) }
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> Self::V {
        // SAFETY: AVX2 is there; the caller promises sixteen readable floats.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store_at(self, value: Self::V, to: *mut f32) {
        // SAFETY: AVX2 is there; the caller promises sixteen writable floats.
        unsafe {
            _mm256_storeu_ps(to, value[0]);
            _mm256_storeu_ps(to.add(8), value[1]);
        }
    }
    #[inline(always)]
    fn outlined<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the token proves the features that `entry` enables.
        unsafe { entry(kernel) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: FMA is there, as the token proves.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn select_greater(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        // SAFETY: AVX2 is there, as its token proves.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_GT_OQ>(a[0], b[0]);
            let high = _mm256_cmp_ps::<_CMP_GT_OQ>(a[1], b[1]);
            [_mm256_blendv_ps(no[0], yes[0], low), _mm256_blendv_ps(no[1], yes[1], high)]
        }
    }
    #[inline(always)]
    fn sum(self, a: Self::V) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(a, &mut lanes);
        tree_sum(lanes)
    }
}
