//! Pooled spectra that score beside a model.

use offkey_infer::pooled::{First, Gwrp, PooledConfig, Pooling, Spectrogram};
use offkey_score::{BackendConfig, Rule, ShrunkMahalanobisConfig};
use offkey_signal::{FloorRule, LogMel};
use serde::{Deserialize, Serialize};

/// Log-mel spectra pooled over time, each compared by shrunk Mahalanobis distance, and the rule that joins
/// their scores with the model's. Nothing is trained.
///
/// Every score is first put on the scale of its own held-out normals, as deviations from their median.
///
/// ```
/// use offkey_recipe::PooledFusion;
/// use offkey_score::Rule;
///
/// let fusion = PooledFusion::default();
/// assert_eq!((fusion.rule, fusion.members.len()), (Rule::Max, 4));
/// assert_eq!(fusion.pooled(16_000)[0].dims(), 128); // the mean level of each mel band
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PooledFusion {
    /// How scores are joined.
    pub rule: Rule,
    /// What is kept of every band, a spectrum each.
    pub members: Vec<Pooling>,
}

impl Default for PooledFusion {
    /// Four spectra, each of which hears what the others do not; joined by the largest score.
    fn default() -> Self {
        let members = vec![
            Pooling::Mean,
            Pooling::MeanDeviation,
            Pooling::Gwrp(Gwrp { r: 0.5, first: First::Loudest }),
            Pooling::Gwrp(Gwrp { r: 0.97, first: First::Quietest }),
        ];
        Self { rule: Rule::Max, members }
    }
}

/// What a pooled spectrum is called in reasons.
pub fn spoken(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Mean => "mean spectrum",
        Pooling::MeanDeviation => "spectrum and its variation",
        Pooling::Gwrp(Gwrp { first: First::Loudest, .. }) => "loudest moments",
        Pooling::Gwrp(Gwrp { first: First::Quietest, .. }) => "quietest moments",
        Pooling::Rdp(_) => "unusual moments",
    }
}

/// The log-mel spectrogram of clips of a rate, pooled.
pub fn pooled(pooling: Pooling, rate_hz: u32) -> PooledConfig {
    let log_mel = LogMel { rate_hz, floor_rule: FloorRule::Add, ..LogMel::default() };
    PooledConfig { spectrogram: Spectrogram::LogMel(log_mel), pooling }
}

impl PooledFusion {
    /// The spectra of clips of a rate.
    pub fn pooled(&self, rate_hz: u32) -> Vec<PooledConfig> {
        self.members.iter().map(|&pooling| pooled(pooling, rate_hz)).collect()
    }

    /// What compares them with those of normal clips.
    pub fn backend() -> BackendConfig {
        BackendConfig::ShrunkMahalanobis(ShrunkMahalanobisConfig::default())
    }
}
