//! One kernel, compiled for every instruction set, and run on one of them.

#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use super::{level::Level, portable::Portable, vector::Kernel};

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
