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
mod dispatch;
mod level;
mod portable;
mod vector;

pub use dispatch::dispatch;
pub use level::Level;
pub use portable::Portable;
pub use vector::{Kernel, LANES, Lane, Simd, floats, floats_mut};

#[cfg(test)]
mod tests {
    use super::{vector::tree_sum, *};

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
