//! Noise that a recipe asks for, in studies of how much of it a system bears.

use std::path::PathBuf;

use offkey_core::Split;
use serde::{Deserialize, Serialize};

/// Noise added to clips.
///
/// ```
/// use offkey_recipe::{NoiseConfig, NoiseKind, NoisyClips};
///
/// let noise = NoiseConfig { kind: NoiseKind::Pink, snr_db: -10.0, clips: NoisyClips::All };
/// assert!(noise.reaches_training());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseConfig {
    /// What kind.
    pub kind: NoiseKind,
    /// Level of the machine above the noise, in decibels of power. The machine's level is the median
    /// over normal training clips of its section, so that all its clips get noise as loud: noise as
    /// loud as each clip asks for would tell a scorer how loud the clip was.
    pub snr_db: f64,
    /// To which clips.
    pub clips: NoisyClips,
}

/// A kind of noise.
///
/// ```
/// use offkey_recipe::NoiseKind;
///
/// let recorded = NoiseKind::Recordings("factory/".into());
/// assert_ne!(recorded, NoiseKind::Factory);
/// ```
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
///
/// ```
/// use offkey_recipe::NoisyClips;
///
/// assert_eq!(serde_json::json!(NoisyClips::Test), "test"); // as recipes write it
/// ```
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

    /// Whether clips of a split get it.
    pub fn reaches(&self, split: Split) -> bool {
        self.reaches_training() || split == Split::Test
    }
}
