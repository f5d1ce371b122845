//! What is wrong with a recording before anyone listens to it.

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use crate::finding::Finding;
use crate::{AudioError, ClipReader, DecodeConfig, Waveform, level::peak_db};

/// Limits of the inspection. Levels are relative to full scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InspectConfig {
    /// A clip whose loudest sample stays below this level is silent. Default -80 dB: three steps
    /// of 16-bit audio.
    pub silent_db: f32,
    /// A sample at or above this magnitude counts as clipped. Default 0.99, which every integer
    /// width from 8 bits on reaches when it saturates.
    pub clip_level: f32,
    /// Share of clipped samples above which a clip is reported. Default 0.001: a few peaks of a
    /// normalised recording are no fault.
    pub clip_share: f32,
    /// Mean above which a clip has a DC offset. Default 0.05.
    pub dc_level: f32,
}

impl Default for InspectConfig {
    fn default() -> Self {
        Self { silent_db: -80.0, clip_level: 0.99, clip_share: 0.001, dc_level: 0.05 }
    }
}

/// Reads the first `most_s` seconds of a file and lists everything suspicious about it, also what its
/// mono samples do not show: that its channels cancel each other. Of a file that is damaged within them
/// what lies before is looked at, and the damage returned beside.
///
/// # Errors
/// [`AudioError`] when the file cannot be opened, or read on.
pub fn inspect_clip(
    path: &Path,
    decode: &DecodeConfig,
    most_s: f64,
    limits: &InspectConfig,
) -> Result<(Vec<Finding>, Option<AudioError>), AudioError> {
    let mut reader = ClipReader::open(path, decode)?;
    let rate_hz = reader.rate_hz();
    let most = (most_s * f64::from(rate_hz)) as usize;
    let mut samples = Vec::new();
    let damage = loop {
        if samples.len() >= most {
            break None;
        }
        match reader.read_block(&mut samples) {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error @ AudioError::Damaged { .. }) => break Some(error),
            Err(error) => return Err(error),
        }
    };
    samples.truncate(most);
    let mut findings = inspect_samples(&Waveform { samples, rate_hz }, limits);
    if let Some(cancel) = reader.channel_finding() {
        findings.retain(|finding| !matches!(finding, Finding::Silent { .. }));
        findings.insert(0, cancel);
    }
    Ok((findings, damage))
}

/// Lists everything suspicious about a clip, in the order of [`Finding`]'s variants.
pub fn inspect_samples(wave: &Waveform, config: &InspectConfig) -> Vec<Finding> {
    let samples = &wave.samples;
    if samples.is_empty() {
        return vec![Finding::Empty];
    }
    let mut findings = Vec::new();
    let broken = samples.iter().filter(|sample| !sample.is_finite()).count();
    if let Some(first) = samples.iter().position(|sample| !sample.is_finite()) {
        findings.push(Finding::NonFinite { samples: broken, first });
    }
    let finite = || samples.iter().copied().filter(|sample| sample.is_finite());
    let count = (samples.len() - broken).max(1) as f64;
    let mean = (finite().map(f64::from).sum::<f64>() / count) as f32;
    let peak_db = peak_db(finite(), mean);
    if peak_db < config.silent_db {
        findings.push(Finding::Silent { peak_db });
    }
    let clipped = finite().filter(|sample| sample.abs() >= config.clip_level).count();
    let share = (clipped as f64 / count) as f32;
    if share > config.clip_share {
        findings.push(Finding::Clipped { share });
    }
    if mean.abs() > config.dc_level {
        findings.push(Finding::DcOffset { mean });
    }
    findings
}
