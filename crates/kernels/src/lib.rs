//! Fast CPU kernels for training and inference: plain slices in, plain slices out.
