//! Sound to features: decoding, resampling, spectra.
