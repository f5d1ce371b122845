//! What a page shows, as plain data: everything optional, nothing computed.

use offkey_core::{Clip, ScoreRow};
use offkey_eval::Comparison;
use serde::{Deserialize, Serialize};

use crate::{
    chart::{LineChart, Picture, RowChart},
    markup::base64_bytes,
};

/// Everything a page can show. Sections without data are left out of the page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageData {
    /// Heading of the page, as in `mimii_dev, fold 0`.
    pub title: String,
    /// One line below the heading: when, with what.
    pub subtitle: String,
    /// What happened, in plain words; one paragraph each.
    pub summary: Vec<String>,
    /// The model beside the baselines: what the verdict is made of.
    pub comparison: Option<Comparison>,
    /// One row per seed, on the page of several.
    pub trials: Vec<TrialRow>,
    /// Length of a clip in seconds, for false alarms per week.
    pub clip_s: Option<f64>,
    /// Metric tables. Official and own-domain numbers belong in separate tables.
    pub metrics: Vec<MetricTable>,
    /// Test scores, one entry per machine and section.
    pub sections: Vec<SectionScores>,
    /// Quantities that scores are drawn against, as the signal-to-noise ratio.
    pub covariates: Vec<Covariate>,
    /// Cells of a study compared, a chart a metric and data set.
    pub comparisons: Vec<RowChart>,
    /// Curves of a study's trainings.
    pub curves: Vec<LineChart>,
    /// Training history, in step order.
    pub training: Vec<TrainingRow>,
    /// Two-dimensional map of the embeddings.
    pub map: Option<EmbeddingMap>,
    /// Clips shown one by one, the most important first within each role.
    pub clips: Vec<ClipCard>,
    /// The resolved recipe.
    pub recipe_toml: String,
    /// The run's manifest.
    pub manifest_json: String,
    /// Largest page in bytes; `None` means [`PageData::DEFAULT_LIMIT_BYTES`]. Sound is left out
    /// where it would not fit: first that of nearest normal clips, from the last clip backwards.
    pub limit_bytes: Option<usize>,
}

impl PageData {
    /// Largest page where the data does not say otherwise: 10 MB still opens quickly on a phone.
    pub const DEFAULT_LIMIT_BYTES: usize = 10_000_000;
}

/// A table of metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricTable {
    /// What the numbers are, as in `Official score, DCASE 2022 rules`.
    pub caption: String,
    /// Names of the value columns, as in `AUC source`.
    pub columns: Vec<String>,
    /// One row per machine, section, or mean.
    pub rows: Vec<MetricRow>,
}

/// One row of a [`MetricTable`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRow {
    /// Row label, as in `fan 00` or `harmonic mean`.
    pub label: String,
    /// Whether the row sums up the others and is set apart.
    #[serde(default)]
    pub total: bool,
    /// One entry per column; `None` where the metric is undefined.
    pub values: Vec<Option<Measured>>,
}

/// A value with its confidence interval or its deviation, where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Lower and upper end of the 95 % interval.
    #[serde(default)]
    pub interval: Option<(f64, f64)>,
    /// Standard deviation over trials, where the value is their mean.
    #[serde(default)]
    pub deviation: Option<f64>,
}

/// Test scores of one machine and section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionScores {
    /// Machine type.
    pub machine: String,
    /// Section.
    pub section: String,
    /// Decision threshold; scores above it are alarms.
    pub threshold: Option<f64>,
    /// Scores of normal clips that the threshold was found on: the scale on which sections are
    /// compared.
    #[serde(default)]
    pub held_out: Vec<f64>,
    /// One row per test clip.
    pub rows: Vec<ScoreRow>,
}

/// One seed of a run of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRow {
    /// The seed.
    pub seed: u64,
    /// Its page, relative to this one.
    pub page: String,
    /// Mean AUC.
    pub auc: Option<f64>,
    /// Mean partial AUC.
    pub pauc: Option<f64>,
    /// Official score.
    pub official_score: Option<f64>,
    /// AUC of the best baseline on the same clips.
    pub baseline: Option<f64>,
}

/// A number per clip that scores are drawn against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covariate {
    /// Name, as in `Signal-to-noise ratio`.
    pub name: String,
    /// Unit, as in `dB`; empty for none.
    pub unit: String,
    /// One value per clip, as (machine, section, clip name, value).
    pub values: Vec<(String, String, String, f64)>,
}

/// One step, or one epoch, of training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingRow {
    /// Optimiser steps done.
    pub step: u64,
    /// Epochs begun.
    pub epoch: u32,
    /// Mean loss.
    pub loss: f64,
    /// Logit scale of the angular margin loss.
    pub scale: Option<f64>,
    /// Mean squared distance to the mean direction of the own class.
    pub intra: Option<f64>,
    /// Mean squared distance to the nearest mean direction of another class.
    pub inter: Option<f64>,
    /// Intra-class distance on held-out normal clips.
    pub held_out_intra: Option<f64>,
    /// Inter-class distance on held-out normal clips.
    pub held_out_inter: Option<f64>,
}

/// A two-dimensional map of embeddings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingMap {
    /// How the map was made, as in `t-SNE, cosine, perplexity 30`.
    pub method: String,
    /// Kullback-Leibler divergence left, in nats.
    pub kl: Option<f64>,
    /// The points.
    pub points: Vec<MapPoint>,
}

/// One clip on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapPoint {
    /// The clip.
    pub clip: Clip,
    /// Horizontal position.
    pub x: f32,
    /// Vertical position, upwards.
    pub y: f32,
    /// Anomaly score, where the clip was scored.
    pub score: Option<f64>,
}

/// Why a clip is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Among the highest scores.
    MostAnomalous,
    /// Among the lowest scores.
    MostNormal,
    /// Normal, yet above the threshold.
    FalseAlarm,
    /// Anomalous, yet below the threshold.
    Miss,
    /// Asked for by name.
    Chosen,
}

/// A clip shown with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipCard {
    /// The clip.
    pub clip: Clip,
    /// Why it is shown.
    pub role: Role,
    /// Anomaly score.
    pub score: f64,
    /// The section's threshold.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Spectrogram.
    #[serde(default)]
    pub spectrogram: Option<Picture>,
    /// Importance for the score, drawn over the spectrogram with the same axes: a picture with
    /// transparency, see [`crate::chart::importance_png`].
    #[serde(default)]
    pub overlay: Option<Picture>,
    /// The sound.
    #[serde(default)]
    pub audio: Option<AudioClip>,
    /// The reference the score was measured against.
    #[serde(default)]
    pub nearest: Option<NearestNormal>,
    /// What stands out, one sentence each, as in `3.2-4.1 s, 2400-3100 Hz: 9 dB above normal`.
    #[serde(default)]
    pub words: Vec<String>,
}

/// The normal training clip nearest to a shown clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestNormal {
    /// The clip.
    pub clip: Clip,
    /// Cosine distance of the embeddings, 0..=2.
    pub distance: f64,
    /// Its spectrogram, on the same colour scale as the shown clip's.
    #[serde(default)]
    pub spectrogram: Option<Picture>,
    /// Its sound.
    #[serde(default)]
    pub audio: Option<AudioClip>,
}

/// Sound to be played in the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioClip {
    /// The bytes of a WAV or a FLAC file.
    #[serde(with = "base64_bytes")]
    pub file: Vec<u8>,
}
