//! Windows of recordings as clips that a network is trained on.

use std::collections::BTreeMap;

use offkey_core::Seed;
use offkey_infer::{ClipSource, SourceError};
use offkey_monitor::{WindowRef, WindowRule};
use offkey_signal::Unpacked;

use crate::{error::LearnError, request::Prepared};

/// Windows of recordings, one after the other.
pub(crate) struct WindowSource {
    rule: WindowRule,
    windows: Vec<WindowRef>,
    /// Of each window the number of its recording session.
    sessions: Vec<usize>,
    /// Compressed recordings.
    unpacked: Unpacked,
}

impl WindowSource {
    /// All windows of recordings.
    pub(crate) fn of<'a>(
        rule: WindowRule,
        recordings: impl IntoIterator<Item = &'a Prepared>,
    ) -> Self {
        let (windows, sessions, unpacked) = Default::default();
        let mut source = Self { rule, windows, sessions, unpacked };
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for Prepared { clip, card, .. } in recordings {
            let next = numbers.len();
            let session = *numbers.entry(&card.group).or_insert(next);
            for &start in &card.starts {
                source.windows.push(WindowRef { path: clip.path.clone(), start });
                source.sessions.push(session);
            }
        }
        source
    }

    /// Places of at most so many windows, spread evenly over all.
    pub(crate) fn spread(&self, most: usize) -> impl Iterator<Item = usize> {
        let (all, count) = (self.len(), self.len().min(most));
        (0..count).map(move |index| index * all / count)
    }

    /// The sound of some windows.
    ///
    /// # Errors
    /// [`LearnError::Sound`] when a recording cannot be read.
    pub(crate) fn waves(
        &self,
        places: impl IntoIterator<Item = usize>,
        seed: Seed,
    ) -> Result<Vec<Vec<f32>>, LearnError> {
        let wave = |index| self.wave(index, seed).map_err(LearnError::Sound);
        places.into_iter().map(wave).collect()
    }
}

impl ClipSource for WindowSource {
    fn len(&self) -> usize {
        self.windows.len()
    }

    fn recording(&self, index: usize) -> usize {
        self.sessions[index]
    }

    fn wave(&self, index: usize, _seed: Seed) -> Result<Vec<f32>, SourceError> {
        let WindowRef { path, start } = &self.windows[index];
        let range = *start..*start + self.rule.samples as u64;
        Ok(self.unpacked.range(path, &self.rule.decode_config(), range)?.samples)
    }
}
