//! Noise added to clips on purpose, to study how much of it a system bears.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use offkey_core::{Clip, Seed, Split, stats};
use offkey_signal::{AudioError, DecodeConfig, LengthPolicy};
use offkey_synth::noise::{factory_noise, mean_power, mix_below_power, pink_noise, white_noise};

use crate::{
    NoiseConfig, NoiseKind, OffkeyError,
    audio::{ClipAudio, Treatment},
    wave_cache::WaveCache,
};

/// Noise that is ready to be added: the recordings to take it from are known, and those whose level
/// it is held against.
#[derive(Debug)]
pub(crate) struct NoiseMaker {
    config: NoiseConfig,
    recordings: Vec<PathBuf>,
    sections: BTreeMap<(String, String), UsualLevel>,
    cache: Arc<WaveCache>,
}

/// What a machine's level is measured on, and what was found.
#[derive(Debug, Default)]
struct UsualLevel {
    clips: Vec<PathBuf>,
    power: OnceLock<Option<f64>>,
}

/// Training clips of a section that its level is taken from.
const LEVEL_CLIPS: usize = 9;

/// Clips of a run with the noise that a recipe asks for, if it does. The training clips among
/// `of_run` set the level.
///
/// # Errors
/// [`OffkeyError::Data`] when noise is asked for from a folder that has no recordings.
pub(crate) fn with_noise(
    clips: ClipAudio,
    config: Option<&NoiseConfig>,
    of_run: &[Clip],
    cache: Arc<WaveCache>,
) -> Result<ClipAudio, OffkeyError> {
    let Some(config) = config else { return Ok(clips) };
    Ok(clips.treated(Arc::new(NoiseMaker::new(config, of_run, cache)?)))
}

impl Treatment for NoiseMaker {
    /// Adds noise. The same clip gets the same noise, always.
    fn treat(
        &self,
        clip: &Clip,
        (decode, rate_hz): (&DecodeConfig, u32),
        wave: Vec<f32>,
    ) -> Result<Vec<f32>, AudioError> {
        self.add(clip, (decode, rate_hz), wave)
    }
}

impl NoiseMaker {
    /// Lists the recordings of a folder, where noise comes from one. `of_run` are all clips of the
    /// run, whose training clips set the level.
    pub(crate) fn new(
        config: &NoiseConfig,
        of_run: &[Clip],
        cache: Arc<WaveCache>,
    ) -> Result<Self, OffkeyError> {
        let recordings = match &config.kind {
            NoiseKind::Recordings(folder) => {
                let dataset = offkey_core::Dataset::read(folder)?;
                dataset.clips.into_iter().map(|clip| clip.path).collect()
            }
            NoiseKind::White | NoiseKind::Pink | NoiseKind::Factory => Vec::new(),
        };
        let mut sections: BTreeMap<_, UsualLevel> = BTreeMap::new();
        for clip in of_run.iter().filter(|clip| clip.split == Split::Train) {
            let key = (clip.machine.clone(), clip.section.clone());
            let clips = &mut sections.entry(key).or_default().clips;
            if clips.len() < LEVEL_CLIPS {
                clips.push(clip.path.clone());
            }
        }
        Ok(Self { config: config.clone(), recordings, sections, cache })
    }

    /// Adds noise to one clip, which `decode` made into `wave` at `rate_hz`. The same clip gets the same
    /// noise, always.
    pub(crate) fn add(
        &self,
        clip: &Clip,
        (decode, rate_hz): (&DecodeConfig, u32),
        wave: Vec<f32>,
    ) -> Result<Vec<f32>, AudioError> {
        if !self.config.reaches(clip.split) {
            return Ok(wave);
        }
        let name = format!("{} {} {} {}", clip.machine, clip.section, clip.split, clip.name);
        let seed = Seed::new(0).child("noise").child(name);
        let noise = match &self.config.kind {
            NoiseKind::White => white_noise(wave.len(), seed),
            NoiseKind::Pink => pink_noise(wave.len(), seed),
            NoiseKind::Factory => factory_noise(wave.len(), rate_hz, seed),
            NoiseKind::Recordings(_) => self.excerpt(wave.len(), rate_hz, seed)?,
        };
        let power = self.usual_power(clip, decode, &wave);
        Ok(mix_below_power(&wave, &noise, power, self.config.snr_db))
    }

    /// Median power of the section's training clips, as far as they can be read; the clip's own where
    /// there are none.
    fn usual_power(&self, clip: &Clip, decode: &DecodeConfig, wave: &[f32]) -> f64 {
        let key = (clip.machine.clone(), clip.section.clone());
        let Some(usual) = self.sections.get(&key) else { return mean_power(wave) };
        let measure = || {
            let length = (LengthPolicy::Loop, wave.len());
            let sounds =
                usual.clips.iter().filter_map(|path| self.cache.wave(path, decode, length, 0).ok());
            stats::Sorted::new(sounds.map(|sound| mean_power(&sound))).upper_median()
        };
        usual.power.get_or_init(measure).unwrap_or_else(|| mean_power(wave))
    }

    fn excerpt(&self, samples: usize, rate_hz: u32, seed: Seed) -> Result<Vec<f32>, AudioError> {
        let pick = seed.child("recording").value() % self.recordings.len() as u64;
        let decode = DecodeConfig { rate_hz: Some(rate_hz), ..DecodeConfig::default() };
        let offset = seed.child("offset").value();
        let length = (LengthPolicy::Loop, samples);
        self.cache.wave(&self.recordings[pick as usize], &decode, length, offset)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use offkey_core::Condition;
    use offkey_signal::encode_wav;

    use super::*;
    use crate::NoisyClips;

    const RATE_HZ: u32 = 16_000;

    fn tone(level: f32) -> Vec<f32> {
        (0..RATE_HZ / 4).map(|i| level * (0.3 * i as f32).sin()).collect()
    }

    #[test]
    fn noise_is_as_loud_for_loud_clips_as_for_soft_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let clip = |name: &str, split: Split, level: f32| {
            let path = folder.path().join(name);
            fs::write(&path, encode_wav(&tone(level), RATE_HZ)).expect("there is room");
            Clip {
                path,
                group: name.to_owned(),
                name: name.to_owned(),
                machine: "fan".to_owned(),
                section: "00".to_owned(),
                domain: None,
                split,
                condition: Some(Condition::Normal),
                attributes: String::new(),
            }
        };
        let mut clips: Vec<Clip> = [0.05, 0.1, 0.2]
            .map(|level| clip(&format!("train_{level}.wav"), Split::Train, level))
            .into();
        clips.push(clip("soft.wav", Split::Test, 0.01));
        clips.push(clip("loud.wav", Split::Test, 0.5));
        clips.push(clip("broken.wav", Split::Train, 0.1));
        fs::write(&clips[5].path, b"not sound").expect("there is room");
        let config = NoiseConfig { kind: NoiseKind::Pink, snr_db: 0.0, clips: NoisyClips::All };
        let cache = Arc::new(WaveCache::new(0));
        let noise = NoiseMaker::new(&config, &clips, cache).expect("no folder is needed");
        let usual = mean_power(&tone(0.1));
        for (clip, level) in [(&clips[3], 0.01), (&clips[4], 0.5)] {
            let wave = tone(level);
            let decode = DecodeConfig { rate_hz: Some(RATE_HZ), ..DecodeConfig::default() };
            let noisy =
                noise.add(clip, (&decode, RATE_HZ), wave.clone()).expect("the clips can be read");
            let added: Vec<f32> = noisy.iter().zip(&wave).map(|(a, b)| a - b).collect();
            let ratio = mean_power(&added) / usual;
            assert!((ratio - 1.0).abs() < 0.01, "{}: {ratio}", clip.name);
        }
    }
}
