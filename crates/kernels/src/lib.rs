//! Fast CPU kernels for training and inference: plain slices in, plain slices out.
//!
//! Nothing here knows a tensor framework. Each kernel comes with a slow, obvious twin in
//! `reference` that the tests hold it against, and picks its instruction set once through
//! [`simd::Level`].

mod gemm;
#[cfg(test)]
mod reference;
pub mod simd;
pub mod spectrogram;
pub mod spectrum;
