//! Slow, obvious twins of the kernels: scalar loops over plain layouts, sums in double precision.
