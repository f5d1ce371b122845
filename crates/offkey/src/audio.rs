//! Clips as waveforms of one length, decoded when asked for and kept while memory allows.

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use offkey_core::{Clip, Seed};
use offkey_embed::{ClipSource, SourceError};
use offkey_signal::{AudioError, DecodeConfig, decode, decode_fit, probe};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{OffkeyError, Progress, Stage, noise::NoiseMaker, recipe::AudioConfig};

/// Recordings up to this long are decoded whole and may be cached; of longer ones only the part
/// that is needed is read.
const WHOLE_CLIP_S: f64 = 60.0;

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

/// Decoded recordings, keyed by content, up to a bound. What came first stays: training visits
/// clips in rounds, where evicting the oldest would evict exactly what is needed next.
#[derive(Debug)]
pub struct WaveCache {
    limit_bytes: u64,
    waves: Mutex<CachedWaves>,
}

#[derive(Debug, Default)]
struct CachedWaves {
    key_of_path: HashMap<PathBuf, [u8; 32]>,
    wave_of_key: HashMap<[u8; 32], Arc<Vec<f32>>>,
    bytes: u64,
}

impl WaveCache {
    /// A cache that holds at most `limit_bytes` of samples.
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, waves: Mutex::default() }
    }

    fn get(&self, path: &Path) -> Option<Arc<Vec<f32>>> {
        let waves = self.waves.lock().unwrap_or_else(PoisonError::into_inner);
        let key = waves.key_of_path.get(path)?;
        waves.wave_of_key.get(key).cloned()
    }

    fn put(&self, path: &Path, wave: &Arc<Vec<f32>>) {
        let bytes = (wave.len() * size_of::<f32>()) as u64;
        let mut waves = self.waves.lock().unwrap_or_else(PoisonError::into_inner);
        if waves.bytes + bytes > self.limit_bytes {
            return;
        }
        let key = content_key(wave);
        waves.key_of_path.insert(path.to_owned(), key);
        if waves.wave_of_key.insert(key, Arc::clone(wave)).is_none() {
            waves.bytes += bytes;
        }
    }
}

fn content_key(wave: &[f32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for block in wave.chunks(1024) {
        let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hash.finalize().into()
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
        let noise = config.noise.as_ref().map(|noise| NoiseMaker::new(noise, of_run));
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
        let wave = self.clean_wave(&clip.path, random)?;
        match &self.noise {
            Some(noise) => noise.add(clip, (&self.decode, self.rate_hz), wave),
            None => Ok(wave),
        }
    }

    fn clean_wave(&self, path: &Path, random: u64) -> Result<Vec<f32>, AudioError> {
        if let Some(wave) = self.cache.get(path) {
            return self.fit(path, &wave, random);
        }
        if probe(path)?.duration_s() > WHOLE_CLIP_S {
            return Ok(
                decode_fit(path, &self.decode, self.config.length, self.samples, random)?.samples
            );
        }
        let wave = Arc::new(decode(path, &self.decode)?.samples);
        self.cache.put(path, &wave);
        self.fit(path, &wave, random)
    }

    /// The waveforms of several clips, without random offsets, decoded in parallel.
    ///
    /// # Errors
    /// The first clip's [`AudioError`].
    pub fn waves(&self, clips: Range<usize>) -> Result<Vec<Vec<f32>>, AudioError> {
        clips.into_par_iter().map(|index| self.wave_at(index, 0)).collect()
    }

    fn fit(&self, path: &Path, wave: &[f32], random: u64) -> Result<Vec<f32>, AudioError> {
        self.config
            .length
            .fit(wave, self.samples, random)
            .map_err(|_| AudioError::Empty { path: path.to_owned() })
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
