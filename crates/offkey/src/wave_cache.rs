//! Recordings as waveforms, kept while memory allows.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use offkey_core::Digest;
use offkey_signal::{AudioError, DecodeConfig, LengthPolicy, Unpacked, decode, decode_fit, probe};

/// Recordings up to this long are decoded whole and may be cached; of longer ones only the part
/// that is needed is read.
const WHOLE_CLIP_S: f64 = 60.0;

/// Decoded recordings, kept by content, up to a bound. What came first stays: training visits
/// clips in rounds, where evicting the oldest would evict exactly what is needed next.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{WaveCache, files::write_atomically};
/// use offkey_signal::{DecodeConfig, LengthPolicy, encode_wav};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.wav");
/// write_atomically(&path, &encode_wav(&[0.1, 0.2, 0.3], 16_000))?;
/// let cache = WaveCache::new(64 << 20); // bytes
/// let wave = cache.wave(&path, &DecodeConfig::default(), (LengthPolicy::Loop, 6), 0)?;
/// assert_eq!(wave.len(), 6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WaveCache {
    limit_bytes: u64,
    waves: Mutex<CachedWaves>,
    /// Long compressed recordings.
    unpacked: Unpacked,
}

#[derive(Debug, Default)]
struct CachedWaves {
    /// A recording is another wave by another channel or rate.
    keys: HashMap<DecodeConfig, HashMap<PathBuf, ContentKey>>,
    wave_of_key: HashMap<ContentKey, Arc<Vec<f32>>>,
    bytes: u64,
}

type ContentKey = [u8; 32];

impl WaveCache {
    /// A cache that holds at most `limit_bytes` of samples.
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, waves: Mutex::default(), unpacked: Unpacked::default() }
    }

    /// A recording, decoded by `config` and brought to a length in samples by a policy; `random`
    /// decides the offset where the policy has one.
    ///
    /// # Errors
    /// [`AudioError`] when the recording cannot be used.
    pub fn wave(
        &self,
        path: &Path,
        config: &DecodeConfig,
        (policy, samples): (LengthPolicy, usize),
        random: u64,
    ) -> Result<Vec<f32>, AudioError> {
        let whole = match self.get(path, config) {
            Some(wave) => wave,
            None if let Some(part) =
                self.unpacked.fit_kept(path, config, (policy, samples), random)? =>
            {
                return Ok(part.samples);
            }
            None if probe(path)?.duration_s() > WHOLE_CLIP_S => {
                // Compressed sound is found above from then on.
                self.unpacked.keep(path, config)?;
                return Ok(decode_fit(path, config, policy, samples, random)?.samples);
            }
            None => {
                let wave = Arc::new(decode(path, config)?.samples);
                self.put(path, config, &wave);
                wave
            }
        };
        policy.fit(&whole, samples, random).map_err(|_| AudioError::Empty { path: path.to_owned() })
    }

    fn get(&self, path: &Path, config: &DecodeConfig) -> Option<Arc<Vec<f32>>> {
        let waves = self.waves.lock().unwrap_or_else(PoisonError::into_inner);
        let key = waves.keys.get(config)?.get(path)?;
        waves.wave_of_key.get(key).cloned()
    }

    fn put(&self, path: &Path, config: &DecodeConfig, wave: &Arc<Vec<f32>>) {
        let bytes = (wave.len() * size_of::<f32>()) as u64;
        let mut waves = self.waves.lock().unwrap_or_else(PoisonError::into_inner);
        if waves.bytes + bytes > self.limit_bytes {
            return;
        }
        let key = content_key(wave);
        waves.keys.entry(*config).or_default().insert(path.to_owned(), key);
        if waves.wave_of_key.insert(key, Arc::clone(wave)).is_none() {
            waves.bytes += bytes;
        }
    }
}

fn content_key(wave: &[f32]) -> ContentKey {
    let mut digest = Digest::new();
    for block in wave.chunks(1024) {
        let bytes: Vec<u8> = block.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        digest.add(bytes);
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use offkey_signal::{ChannelRule, encode_wav};

    use super::*;

    #[test]
    fn a_recording_is_kept_for_the_channel_and_rate_it_was_decoded_by() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("steady.wav");
        fs::write(&path, encode_wav(&[0.25; 1600], 16_000)).expect("there is room");
        let cache = WaveCache::new(1 << 20);
        let wave = |channel, rate_hz, samples| {
            let config = DecodeConfig { channel, rate_hz: Some(rate_hz) };
            cache.wave(&path, &config, (LengthPolicy::Loop, samples), 0)
        };
        let steady = |wave: &[f32]| wave.iter().all(|sample| (sample - wave[0]).abs() < 1e-6);
        for _ in 0..2 {
            let kept = wave(ChannelRule::Mix, 16_000, 1600).expect("it can be read");
            assert!(steady(&kept), "nothing is resampled");
            let slower = wave(ChannelRule::Mix, 8_000, 800).expect("it can be read");
            assert!(!steady(&slower), "the ends ring");
            let second = wave(ChannelRule::Pick(1), 16_000, 1600);
            assert!(second.is_err(), "there is one channel");
        }
    }
}
