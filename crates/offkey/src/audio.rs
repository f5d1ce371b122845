//! Clips as waveforms of one length, decoded when asked for, with noise where a recipe adds any.

use std::{ops::Range, path::PathBuf, sync::Arc};

use offkey_core::{Clip, Seed};
use offkey_infer::{ClipSource, SourceError};
use offkey_signal::{AudioError, DecodeConfig};
use rayon::prelude::*;

use crate::{
    OffkeyError, Progress, Stage, noise::NoiseMaker, recipe::AudioConfig, wave_cache::WaveCache,
};

/// Clips of a data set, as the encoder wants them: mono, one rate, one length.
#[derive(Debug)]
pub struct ClipAudio {
    clips: Vec<Clip>,
    decode: DecodeConfig,
    config: AudioConfig,
    noise: Option<NoiseMaker>,
    rate_hz: u32,
    samples: usize,
    random_offset: bool,
    cache: Arc<WaveCache>,
}

impl ClipAudio {
    /// The given clips of a run as waveforms of `samples` samples at `rate_hz`.
    ///
    /// # Errors
    /// [`OffkeyError::Data`] when noise is asked for from a folder that has none.
    pub fn new(
        (clips, of_run): (&[&Clip], &[Clip]),
        config: &AudioConfig,
        rate_hz: u32,
        samples: usize,
        cache: Arc<WaveCache>,
    ) -> Result<Self, OffkeyError> {
        let noise =
            config.noise.as_ref().map(|noise| NoiseMaker::new(noise, of_run, Arc::clone(&cache)));
        Ok(Self {
            clips: clips.iter().map(|&clip| clip.clone()).collect(),
            decode: DecodeConfig { channel: config.channel, rate_hz: Some(rate_hz) },
            config: config.clone(),
            noise: noise.transpose()?,
            rate_hz,
            samples,
            random_offset: false,
            cache,
        })
    }

    /// The same, with offsets drawn anew each time where the length policy has any.
    #[must_use]
    pub fn with_random_offsets(self) -> Self {
        Self { random_offset: true, ..self }
    }

    /// The clips, in order.
    pub fn clips(&self) -> &[Clip] {
        &self.clips
    }

    /// Number of clips.
    pub fn len(&self) -> usize {
        self.clips.len()
    }

    /// Whether there are no clips.
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// One clip's waveform; `random` decides the offset where the policy has one.
    ///
    /// # Errors
    /// [`AudioError`] when the recording cannot be used.
    pub fn wave_at(&self, index: usize, random: u64) -> Result<Vec<f32>, AudioError> {
        let clip = &self.clips[index];
        let length = (self.config.length, self.samples);
        let wave = self.cache.wave(&clip.path, &self.decode, length, random)?;
        match &self.noise {
            Some(noise) => noise.add(clip, (&self.decode, self.rate_hz), wave),
            None => Ok(wave),
        }
    }

    /// The waveforms of several clips, without random offsets, decoded in parallel.
    ///
    /// # Errors
    /// The first clip's [`AudioError`].
    pub fn waves(&self, clips: Range<usize>) -> Result<Vec<Vec<f32>>, AudioError> {
        clips.into_par_iter().map(|index| self.wave_at(index, 0)).collect()
    }

    /// Decodes every clip once, in parallel: finds those that cannot be used before anything else
    /// is done, and fills the cache.
    ///
    /// Returns for each unusable clip its index and the reason.
    ///
    /// # Errors
    /// [`OffkeyError::Cancelled`] when the caller asks to stop.
    pub fn check(&self, progress: &dyn Progress) -> Result<Vec<(usize, AudioError)>, OffkeyError> {
        const BLOCK: usize = 64;
        progress.begin(Stage::Check, self.len() as u64, "clips");
        let mut bad = Vec::new();
        for start in (0..self.len()).step_by(BLOCK) {
            let end = (start + BLOCK).min(self.len());
            let results: Vec<_> =
                (start..end).into_par_iter().map(|index| self.wave_at(index, 0).err()).collect();
            bad.extend(
                results.into_iter().enumerate().filter_map(|(i, e)| e.map(|e| (start + i, e))),
            );
            progress.advance(end as u64, "");
            if progress.cancelled() {
                return Err(OffkeyError::Cancelled { run: PathBuf::new() });
            }
        }
        progress.end();
        Ok(bad)
    }
}

impl ClipSource for ClipAudio {
    fn len(&self) -> usize {
        self.clips.len()
    }

    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError> {
        let random = if self.random_offset { seed.value() } else { 0 };
        Ok(self.wave_at(index, random)?)
    }
}
