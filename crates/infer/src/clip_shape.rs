//! What sound a model takes.

/// Rate and length of the waveforms that a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipShape {
    /// Sampling rate in hertz.
    pub rate_hz: u32,
    /// Samples of a clip.
    pub samples: usize,
}
