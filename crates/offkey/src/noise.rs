//! Noise added to clips on purpose, to study how much of it a system bears.

use std::path::{Path, PathBuf};

use offkey_core::{Clip, Seed, Split};
use offkey_signal::{AudioError, DecodeConfig, LengthPolicy, decode_fit};
use offkey_synth::noise::{factory_noise, mix_at_snr, pink_noise, white_noise};
use serde::{Deserialize, Serialize};

/// Noise added to clips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseConfig {
    /// What kind.
    pub kind: NoiseKind,
    /// Level of the clip above the noise, in decibels of power.
    pub snr_db: f64,
    /// To which clips.
    pub clips: NoisyClips,
}

/// A kind of noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// Equal power at all frequencies.
    White,
    /// Equal power in all octaves.
    Pink,
    /// Synthetic factory background.
    Factory,
    /// Excerpts of the recordings in a folder.
    Recordings(PathBuf),
}

/// Which clips noise is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoisyClips {
    /// Training and test clips.
    All,
    /// Test clips alone: a condition the model has not met.
    Test,
}

impl NoiseConfig {
    /// Whether training hears the noise.
    pub fn reaches_training(&self) -> bool {
        self.clips == NoisyClips::All
    }

    fn reaches(&self, split: Split) -> bool {
        self.reaches_training() || split == Split::Test
    }
}

/// Noise that is ready to be added: the recordings to take it from are known.
#[derive(Debug, Clone)]
pub(crate) struct NoiseMaker {
    config: NoiseConfig,
    recordings: Vec<PathBuf>,
}

impl NoiseMaker {
    /// Lists the recordings of a folder, where noise comes from one.
    pub(crate) fn new(config: &NoiseConfig) -> Result<Self, crate::OffkeyError> {
        let recordings = match &config.kind {
            NoiseKind::Recordings(folder) => {
                let dataset = offkey_core::Dataset::read(folder)?;
                dataset.clips.into_iter().map(|clip| clip.path).collect()
            }
            NoiseKind::White | NoiseKind::Pink | NoiseKind::Factory => Vec::new(),
        };
        Ok(Self { config: config.clone(), recordings })
    }

    /// Adds noise to one clip. The same clip gets the same noise, always.
    pub(crate) fn add(
        &self,
        clip: &Clip,
        rate_hz: u32,
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
        Ok(mix_at_snr(&wave, &noise, self.config.snr_db))
    }

    fn excerpt(&self, samples: usize, rate_hz: u32, seed: Seed) -> Result<Vec<f32>, AudioError> {
        let pick = seed.child("recording").value() % self.recordings.len() as u64;
        let path: &Path = &self.recordings[pick as usize];
        let decode = DecodeConfig { rate_hz: Some(rate_hz), ..DecodeConfig::default() };
        let offset = seed.child("offset").value();
        Ok(decode_fit(path, &decode, LengthPolicy::Loop, samples, offset)?.samples)
    }
}
