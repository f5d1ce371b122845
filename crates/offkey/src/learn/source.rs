//! Windows of recordings as clips that a network is trained on.

use offkey_core::Seed;
use offkey_infer::{ClipSource, SourceError};
use offkey_monitor::{WindowRef, WindowRule};
use offkey_signal::decode_range;

/// Windows of recordings.
pub(super) struct WindowSource {
    pub(super) rule: WindowRule,
    pub(super) windows: Vec<WindowRef>,
}

impl ClipSource for WindowSource {
    fn len(&self) -> usize {
        self.windows.len()
    }

    fn wave(&self, index: usize, _seed: Seed) -> Result<Vec<f32>, SourceError> {
        let WindowRef { path, start } = &self.windows[index];
        let range = *start..*start + self.rule.samples as u64;
        Ok(decode_range(path, &self.rule.decode_config(), range)?.samples)
    }
}
