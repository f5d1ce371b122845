//! Sixteen-lane arithmetic in three instruction sets behind one trait.
//!
//! A kernel is written once, generic over [`Simd`], as a [`Kernel`]; [`dispatch`] compiles it for
//! AVX-512, AVX2 with FMA, and portable arrays, and runs the one that the given [`Level`] names.
//! Everything a kernel calls must be `#[inline(always)]`, so that it is compiled with the
//! instruction set of the entry point it is inlined into.

#![expect(
    clippy::inline_always,
    reason = "a generic helper gets an instruction set only by being inlined into its entry point"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

pub use portable::Portable;

/// Lanes of one vector in every instruction set.
pub const LANES: usize = 16;

/// One vector in memory: sixteen floats on a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Lane(pub [f32; LANES]);

impl Lane {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);
}

impl Default for Lane {
    fn default() -> Self {
        Self::ZERO
    }
}

/// The floats of a row of vectors, in order.
pub fn floats(lanes: &[Lane]) -> &[f32] {
    // SAFETY: `Lane` is `repr(C)` around sixteen floats and exactly 64 bytes long, so `n` of them
    // are `16 n` initialised floats without padding; the alignment of f32 is smaller.
    #[expect(unsafe_code, reason = "the standard library has no safe view of a repr(C) slice")]
    unsafe {
        std::slice::from_raw_parts(lanes.as_ptr().cast::<f32>(), lanes.len() * LANES)
    }
}

/// The floats of a row of vectors, in order, to write.
pub fn floats_mut(lanes: &mut [Lane]) -> &mut [f32] {
    // SAFETY: as in `floats`; the borrow is exclusive and any bit pattern is a valid float.
    #[expect(unsafe_code, reason = "the standard library has no safe view of a repr(C) slice")]
    unsafe {
        std::slice::from_raw_parts_mut(lanes.as_mut_ptr().cast::<f32>(), lanes.len() * LANES)
    }
}

/// An instruction set that the running processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain arrays, which the compiler vectorises for the build's target.
    Portable,
    /// AVX2 with fused multiply-add: two 8-lane registers a vector, 16 registers.
    Avx2,
    /// AVX-512F: one register a vector, 32 registers.
    Avx512,
}

impl Level {
    /// The widest instruction set of this processor.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// Every instruction set of this processor, slowest first.
    pub fn available() -> Vec<Self> {
        [Self::Portable, Self::Avx2, Self::Avx512]
            .into_iter()
            .filter(|level| level.is_available())
            .collect()
    }

    /// Whether this processor has the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The name a log or a manifest shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Sixteen-lane arithmetic. A value of an implementing type proves that the processor has it.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen floats in registers.
    type V: Copy;

    /// Vectors that can be held in registers at once.
    const REGISTERS: usize;

    /// The same number in every lane.
    fn splat(self, value: f32) -> Self::V;
    /// Reads sixteen floats.
    fn load(self, from: &[f32; LANES]) -> Self::V;
    /// Writes sixteen floats.
    fn store(self, value: Self::V, to: &mut [f32; LANES]);
    /// Reads sixteen floats from any address.
    ///
    /// # Safety
    /// `from` must be valid for reading sixteen floats; it need not be aligned to a vector.
    #[expect(unsafe_code, reason = "inner loops index through pointers checked once a row")]
    unsafe fn load_at(self, from: *const f32) -> Self::V;
    /// Writes sixteen floats to any address.
    ///
    /// # Safety
    /// `to` must be valid for writing sixteen floats; it need not be aligned to a vector.
    #[expect(unsafe_code, reason = "inner loops index through pointers checked once a row")]
    unsafe fn store_at(self, value: Self::V, to: *mut f32);
    /// Runs a kernel as a function of its own, compiled once for this instruction set, where
    /// inlining it at every call would only make the program larger.
    fn outlined<K: Kernel>(self, kernel: K) -> K::Output;
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of `a` and `b`; `b` where they are equal or one is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where `a > b`, else `no`.
    fn select_greater(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The sum of all lanes, in one fixed order for every instruction set.
    fn sum(self, a: Self::V) -> f32;

    /// Zero in every lane.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }
    /// `value` where `gate > 0`, else zero.
    #[inline(always)]
    fn gate(self, gate: Self::V, value: Self::V) -> Self::V {
        self.select_greater(gate, self.zero(), value, self.zero())
    }
    /// `max(a, 0)`
    #[inline(always)]
    fn relu(self, a: Self::V) -> Self::V {
        self.max(a, self.zero())
    }
}

/// Work written once for every instruction set.
pub trait Kernel {
    /// What the work gives back.
    type Output;
    /// Runs with the given instruction set; must be `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs `kernel` with the instruction set `level`.
///
/// # Panics
/// When this processor lacks `level`.
#[inline]
pub fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    assert!(level.is_available(), "this processor has no {}", level.name());
    match level {
        Level::Portable => kernel.run(Portable),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::run(kernel),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::run(kernel),
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2 | Level::Avx512 => unreachable!("not available on this architecture"),
    }
}

/// The sum of sixteen lanes as a fixed tree: halves, quarters, eighths, pairs.
#[inline(always)]
fn tree_sum(lanes: [f32; LANES]) -> f32 {
    let eight: [f32; 8] = [
        lanes[0] + lanes[8],
        lanes[1] + lanes[9],
        lanes[2] + lanes[10],
        lanes[3] + lanes[11],
        lanes[4] + lanes[12],
        lanes[5] + lanes[13],
        lanes[6] + lanes[14],
        lanes[7] + lanes[15],
    ];
    let four = [eight[0] + eight[4], eight[1] + eight[5], eight[2] + eight[6], eight[3] + eight[7]];
    (four[0] + four[2]) + (four[1] + four[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Everything<'a> {
        a: &'a [f32; LANES],
        b: &'a [f32; LANES],
        c: &'a [f32; LANES],
    }

    impl Kernel for Everything<'_> {
        type Output = Vec<[f32; LANES]>;

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let (a, b, c) = (simd.load(self.a), simd.load(self.b), simd.load(self.c));
            let results = [
                simd.splat(1.5),
                simd.add(a, b),
                simd.sub(a, b),
                simd.mul(a, b),
                simd.mul_add(a, b, c),
                simd.max(a, b),
                simd.select_greater(a, b, c, a),
                simd.gate(a, b),
                simd.relu(a),
                simd.splat(simd.sum(a)),
            ];
            let mut rows = Vec::new();
            for value in results {
                let mut row = [0.0; LANES];
                simd.store(value, &mut row);
                rows.push(row);
            }
            rows
        }
    }

    #[test]
    fn every_level_computes_what_scalar_code_does() {
        let lanes = |f: fn(f32) -> f32| std::array::from_fn(|lane| f(lane as f32));
        let a: [f32; LANES] = lanes(|x| (x * 1.3).sin());
        let b: [f32; LANES] = lanes(|x| (x * 0.7).cos());
        let c: [f32; LANES] = lanes(|x| x - 4.0);
        for level in Level::available() {
            let rows = dispatch(level, Everything { a: &a, b: &b, c: &c });
            let total: f32 = tree_sum(a);
            for lane in 0..LANES {
                let (x, y, z) = (a[lane], b[lane], c[lane]);
                let expected = [
                    1.5,
                    x + y,
                    x - y,
                    x * y,
                    x * y + z,
                    x.max(y),
                    if x > y { z } else { x },
                    if x > 0.0 { y } else { 0.0 },
                    x.max(0.0),
                    total,
                ];
                for (row, want) in rows.iter().zip(expected) {
                    // One rounding less in a fused product: an ulp of the sum.
                    assert!((row[lane] - want).abs() <= 1e-6, "{}: {row:?} {want}", level.name());
                }
            }
        }
    }

    #[test]
    fn best_is_the_last_of_the_available_levels() {
        let levels = Level::available();
        assert_eq!(levels[0], Level::Portable);
        assert_eq!(levels.last(), Some(&Level::best()));
        assert!(levels.is_sorted());
    }

    #[test]
    fn lanes_and_floats_are_the_same_memory() {
        let mut lanes = vec![Lane::ZERO; 3];
        floats_mut(&mut lanes)[17] = 2.0;
        assert_eq!(lanes[1].0[1].to_bits(), 2.0_f32.to_bits());
        assert_eq!(floats(&lanes).len(), 48);
    }
}
