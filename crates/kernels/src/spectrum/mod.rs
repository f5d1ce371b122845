//! Spectrum branch: one-dimensional convolutions over the magnitude of the whole clip's transform.
