//! A mono recording in memory.

/// Mono samples and their rate.
///
/// Full scale is the interval from -1 to 1; recordings in floating point may exceed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Waveform {
    /// The samples, in time order.
    pub samples: Vec<f32>,
    /// Samples per second.
    pub rate_hz: u32,
}

impl Waveform {
    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate_hz.max(1))
    }
}
