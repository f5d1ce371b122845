//! Where models get the clips they are fitted to, without knowing files.

use offkey_core::Seed;

/// Whatever went wrong while a clip was read.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Clips, by index. Decoding, length policy and caching are the source's own.
pub trait ClipSource: Sync {
    /// Number of clips.
    fn len(&self) -> usize;

    /// The waveform of one clip, mono, exactly as long as the encoder expects.
    ///
    /// `seed` is this clip's seed in this epoch: a source that cuts at a random offset takes the
    /// offset from it, and nothing else may be random.
    ///
    /// # Errors
    /// Whatever keeps the clip from being read; training stops and passes it on.
    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError>;

    /// A number that all clips of one recording share, so that a split can keep them on one side. Each
    /// clip is a recording of its own where a source does not say otherwise.
    fn recording(&self, index: usize) -> usize {
        index
    }

    /// Whether there are no clips.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
