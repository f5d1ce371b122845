//! Spectrogram branch: a small residual network over short-time spectra.
