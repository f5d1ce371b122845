//! Clips as waveforms of one length, decoded when asked for.

use std::{collections::BTreeMap, fmt, ops::Range, path::PathBuf, sync::Arc};

use offkey_core::{Clip, Seed};
use offkey_infer::{ClipSource, SourceError};
use offkey_signal::{AudioError, DecodeConfig};
use rayon::prelude::*;

use crate::{AudioConfig, OffkeyError, Progress, Stage, wave_cache::WaveCache};

/// What is done to the waveform of a clip once it is decoded.
///
/// ```
/// use offkey::{Clip, Treatment};
/// use offkey_signal::{AudioError, DecodeConfig};
///
/// /// Half as loud.
/// #[derive(Debug)]
/// struct Softer;
///
/// impl Treatment for Softer {
///     fn treat(
///         &self,
///         _: &Clip,
///         _: (&DecodeConfig, u32),
///         wave: Vec<f32>,
///     ) -> Result<Vec<f32>, AudioError> {
///         Ok(wave.into_iter().map(|sample| sample / 2.0).collect())
///     }
/// }
/// ```
pub trait Treatment: fmt::Debug + Send + Sync {
    /// The waveform that takes the place of `wave`, decoded from `clip` by `decode` at `rate_hz`.
    ///
    /// # Errors
    /// [`AudioError`] when another recording that is needed for it cannot be used.
    fn treat(
        &self,
        clip: &Clip,
        decode: (&DecodeConfig, u32),
        wave: Vec<f32>,
    ) -> Result<Vec<f32>, AudioError>;
}

/// Clips of a data set, as the encoder wants them: mono, one rate, one length.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use offkey::{AudioConfig, Clip, ClipAudio, Silent, SynthConfig, WaveCache, synthesize};
/// use offkey_core::Dataset;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// let dataset = Dataset::read_all(&[data], &[])?;
/// let clips: Vec<&Clip> = dataset.clips.iter().collect();
/// let cache = Arc::new(WaveCache::new(1 << 20));
/// let audio = ClipAudio::new(&clips, &AudioConfig::default(), 16_000, 32_000, cache);
/// assert_eq!(audio.waves(0..3)?[0].len(), 32_000);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClipAudio {
    clips: Vec<Clip>,
    /// Of each clip the first one of its recording.
    recordings: Vec<usize>,
    decode: DecodeConfig,
    config: AudioConfig,
    treatment: Option<Arc<dyn Treatment>>,
    rate_hz: u32,
    samples: usize,
    random_offset: bool,
    cache: Arc<WaveCache>,
}

impl ClipAudio {
    /// The given clips as waveforms of `samples` samples at `rate_hz`.
    pub fn new(
        clips: &[&Clip],
        config: &AudioConfig,
        rate_hz: u32,
        samples: usize,
        cache: Arc<WaveCache>,
    ) -> Self {
        let channel = config.channel.unwrap_or_default();
        Self {
            recordings: recordings(clips),
            clips: clips.iter().map(|&clip| clip.clone()).collect(),
            decode: DecodeConfig { channel, rate_hz: Some(rate_hz) },
            config: config.clone(),
            treatment: None,
            rate_hz,
            samples,
            random_offset: false,
            cache,
        }
    }

    /// The same, each waveform treated before it is handed out.
    #[must_use]
    pub fn treated(self, treatment: Arc<dyn Treatment>) -> Self {
        Self { treatment: Some(treatment), ..self }
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
        match &self.treatment {
            Some(treatment) => treatment.treat(clip, (&self.decode, self.rate_hz), wave),
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

/// Of each clip the first one that was cut from the same recording.
fn recordings(clips: &[&Clip]) -> Vec<usize> {
    let mut first: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let keys = clips.iter().map(|clip| (&*clip.machine, &*clip.section, &*clip.group));
    keys.enumerate().map(|(index, key)| *first.entry(key).or_insert(index)).collect()
}

impl ClipSource for ClipAudio {
    fn len(&self) -> usize {
        self.clips.len()
    }

    fn recording(&self, index: usize) -> usize {
        self.recordings[index]
    }

    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError> {
        let random = if self.random_offset { seed.value() } else { 0 };
        Ok(self.wave_at(index, random)?)
    }
}
