//! Clips of any length made equal.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::FeatureError;

/// How a clip is brought to the number of samples that an encoder expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LengthPolicy {
    /// The clip's beginning; a shorter clip is repeated from its start. The challenge's clips of
    /// equal length (to 2022) are used so.
    #[default]
    Crop,
    /// Repeated until it is long enough, then cut at a random offset: clips of unequal length
    /// (2023 on), where every part of a long clip shall be seen.
    Loop,
    /// The clip's beginning; a shorter clip is followed by silence.
    Pad,
}

/// Where a fixed-length excerpt lies in its clip, and how a gap at its end is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The samples that have to be read.
    pub range: Range<usize>,
    /// Where in the excerpt of a repeated clip to begin.
    offset: usize,
    target: usize,
    repeat: bool,
}

impl LengthPolicy {
    /// Decides which part of a clip is needed, before it is read.
    ///
    /// `random` is any number: [`LengthPolicy::Loop`] takes its offset from it (0 is no offset),
    /// the others ignore it.
    pub fn window(self, samples: usize, target: usize, random: u64) -> Window {
        let loops = self == Self::Loop;
        let whole = if loops && samples > 0 {
            samples * target.div_ceil(samples).max(1)
        } else {
            samples.max(target)
        };
        let places = (whole - target) as u64 + 1;
        let offset = if loops { (random % places) as usize } else { 0 };
        let repeat = self != Self::Pad;
        if samples < target {
            return Window { range: 0..samples, offset, target, repeat };
        }
        Window { range: offset..offset + target, offset: 0, target, repeat }
    }

    /// Brings samples in memory to the target length.
    ///
    /// # Errors
    /// [`FeatureError::TooShort`] for an empty clip.
    pub fn fit(
        self,
        samples: &[f32],
        target: usize,
        random: u64,
    ) -> Result<Vec<f32>, FeatureError> {
        let window = self.window(samples.len(), target, random);
        window.fill(&samples[window.range.clone()])
    }
}

impl Window {
    /// Completes the samples of [`Window::range`] to the target length.
    ///
    /// # Errors
    /// [`FeatureError::TooShort`] when there are no samples at all.
    pub fn fill(&self, samples: &[f32]) -> Result<Vec<f32>, FeatureError> {
        if samples.is_empty() {
            return Err(FeatureError::TooShort { found: 0, expected: 1 });
        }
        if self.repeat {
            let mut filled = Vec::with_capacity(self.target);
            let mut from = self.offset % samples.len();
            while filled.len() < self.target {
                let rest = self.target - filled.len();
                filled.extend_from_slice(&samples[from..samples.len().min(from + rest)]);
                from = 0;
            }
            return Ok(filled);
        }
        let mut filled = samples[..samples.len().min(self.target)].to_vec();
        filled.resize(self.target, 0.0);
        Ok(filled)
    }
}
