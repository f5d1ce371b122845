//! Slow, obvious twins of the kernels: scalar loops over plain layouts, sums in double precision.

pub(crate) mod spectrogram;
pub(crate) mod spectrum;
pub(crate) mod tape;
