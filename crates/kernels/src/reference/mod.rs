//! Slow, obvious twins of the kernels: scalar loops over plain layouts, sums in double precision.

pub mod spectrogram;
pub mod spectrum;
pub mod tape;
