//! Small buffers that stay in a core's cache, one set per worker at a time.

use std::sync::{Mutex, PoisonError};

use crate::simd::Lane;

/// Buffers of one worker; they grow to the largest band and are then reused.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The band of a convolution's input.
    pub(crate) input: Vec<Lane>,
    /// The band of a gradient.
    pub(crate) gradient: Vec<Lane>,
    /// Rows that a convolution has just computed.
    pub(crate) output: Vec<Lane>,
    /// The pooled rows that a skip convolution reads.
    pub(crate) pooled: Vec<Lane>,
    /// The gradient of the pooled rows.
    pub(crate) pooled_gradient: Vec<Lane>,
    /// The gradient that reaches a block's input through its skip connection.
    pub(crate) skip: Vec<Lane>,
    /// Tiles of a convolution.
    pub(crate) points: PointScratch,
    /// A band of the spectrogram behind its norm.
    pub(crate) spectra: Vec<f32>,
    /// The same band at zero mean and unit variance.
    pub(crate) normalised: Vec<f32>,
}

/// The first `len` vectors of a buffer, which grows where it is too small.
pub(crate) fn take(buffer: &mut Vec<Lane>, len: usize) -> &mut [Lane] {
    if buffer.len() < len {
        buffer.resize(len, Lane::ZERO);
    }
    &mut buffer[..len]
}

/// As many sets as there were workers at once.
#[derive(Debug, Default)]
pub(crate) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Lends a set to `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = self.sets().pop().unwrap_or_default();
        let result = work(&mut scratch);
        self.sets().push(scratch);
        result
    }

    fn sets(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        // A panic while the lock was held can only have left a shorter list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory for tiles in the space of points.
#[derive(Debug, Default)]
pub(crate) struct PointScratch {
    pub(crate) read: Vec<Lane>,
    pub(crate) written: Vec<Lane>,
    pub(crate) offsets: Vec<usize>,
}
