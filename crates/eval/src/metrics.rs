//! What an evaluation says: the shape of `metrics.json`.

use offkey_core::{Domain, Year};
use serde::{Deserialize, Serialize};

use crate::{DecisionRates, Interval, Note};

/// Everything measured on one set of scores, or the mean over several trials.
///
/// All rates lie in 0-1. A number is `None` where a domain or a condition is missing.
/// `auc`, `auc_source`, `auc_target` and `pauc` are **arithmetic means over the rows** of
/// `per_section` that have the number; `official_score` is the year's own mean of its own terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Year whose formula gave the official score; none: the formula of 2022-2025 on data that
    /// belong to no year.
    pub year: Option<Year>,
    /// The year's official score; none where its formula needs domains that there are not.
    pub official_score: Option<f64>,
    /// Mean over rows of the AUC, all domains together.
    pub auc: Option<f64>,
    /// Mean over rows of the official source AUC: source normals against the anomalies of both
    /// domains (2021: of the source rows).
    pub auc_source: Option<f64>,
    /// As `auc_source`, for the target.
    pub auc_target: Option<f64>,
    /// Mean over rows of the partial AUC (false-positive rates up to 0.1, standardised).
    pub pauc: Option<f64>,
    /// The other family of domain metrics; never to be put into one table with the official one.
    pub own_domain: Option<OwnDomain>,
    /// Every term the official formula names; those without a value do not exist.
    pub official_terms: Vec<OfficialTerm>,
    /// Bootstrap intervals of the numbers above; none where they were not asked for.
    pub intervals: Option<HeadlineIntervals>,
    /// One row per machine and section, in 2021 one per domain too.
    pub per_section: Vec<SectionMetrics>,
    /// Means over the rows of each machine.
    pub per_machine: Vec<MachineMetrics>,
    /// The trials behind the means; empty for a single evaluation.
    pub seeds: Vec<TrialMetrics>,
    /// Mean over trials, where there are several.
    pub mean: Option<Headline>,
    /// Sample standard deviation over trials (divisor: trials minus one), where there are several.
    pub std: Option<Headline>,
    /// Why numbers are missing, or stand for less than all.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// The numbers that stand for a whole evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// See [`Metrics::official_score`].
    pub official_score: Option<f64>,
    /// See [`Metrics::auc`].
    pub auc: Option<f64>,
    /// See [`Metrics::auc_source`].
    pub auc_source: Option<f64>,
    /// See [`Metrics::auc_target`].
    pub auc_target: Option<f64>,
    /// See [`Metrics::pauc`].
    pub pauc: Option<f64>,
    /// See [`Metrics::own_domain`].
    pub own_domain: Option<OwnDomain>,
}

/// Headline numbers of one trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrialMetrics {
    /// Seed of the trial.
    pub seed: u64,
    /// See [`Metrics::official_score`].
    pub official_score: Option<f64>,
    /// See [`Metrics::auc`].
    pub auc: Option<f64>,
    /// See [`Metrics::auc_source`].
    pub auc_source: Option<f64>,
    /// See [`Metrics::auc_target`].
    pub auc_target: Option<f64>,
    /// See [`Metrics::pauc`].
    pub pauc: Option<f64>,
    /// See [`Metrics::own_domain`].
    pub own_domain: Option<OwnDomain>,
}

/// Metrics where normals and anomalies of the **same** domain are compared, as in the papers of
/// the method's authors: three AUCs and three partial AUCs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnDomain {
    /// Source normals against source anomalies.
    pub auc_source: Option<f64>,
    /// Target normals against target anomalies.
    pub auc_target: Option<f64>,
    /// All normals against all anomalies.
    pub auc_mixed: Option<f64>,
    /// Partial AUC of the source domain.
    pub pauc_source: Option<f64>,
    /// Partial AUC of the target domain.
    pub pauc_target: Option<f64>,
    /// Partial AUC over both domains.
    pub pauc_mixed: Option<f64>,
    /// Harmonic mean of the six numbers (of a whole evaluation: over all its sections), each
    /// floored at machine epsilon.
    pub harmonic_mean: Option<f64>,
}

/// A pair of numbers, one a domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByDomain<T> {
    /// Of the source domain.
    pub source: Option<T>,
    /// Of the target domain.
    pub target: Option<T>,
}

/// One number that the official formula asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfficialTerm {
    /// Machine type.
    pub machine: String,
    /// Section.
    pub section: String,
    /// Domain, in years that score domains apart.
    pub domain: Option<Domain>,
    /// Which metric.
    pub term: TermName,
    /// Its value; none: it does not exist.
    pub value: Option<f64>,
}

/// The metrics that official formulas are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermName {
    /// Area under the ROC curve.
    Auc,
    /// Source normals against the anomalies of both domains.
    AucSource,
    /// Target normals against the anomalies of both domains.
    AucTarget,
    /// Partial AUC.
    Pauc,
}

/// One row of results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SectionMetrics {
    /// Machine type.
    pub machine: String,
    /// Section.
    pub section: String,
    /// Domain, in years that score domains apart.
    pub domain: Option<Domain>,
    /// Area under the ROC curve, all clips of the row.
    pub auc: Option<f64>,
    /// Partial AUC, all clips of the row.
    pub pauc: Option<f64>,
    /// Source normals against the anomalies of both domains.
    pub auc_source: Option<f64>,
    /// Target normals against the anomalies of both domains.
    pub auc_target: Option<f64>,
    /// Normals and anomalies of the same domain.
    pub own_domain: Option<OwnDomain>,
    /// Normal clips.
    pub normal: usize,
    /// Anomalous clips.
    pub anomalous: usize,
    /// Clips without truth, left out of every number.
    pub unlabelled: usize,
    /// Of the clips decided anomalous, the share that is; 0 where none was.
    pub precision: Option<f64>,
    /// Of the anomalous clips, the share decided so; 0 where there is none.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall; 0 where both are.
    pub f1: Option<f64>,
    /// Precision, recall and F1 of each domain's own clips, as 2022 and later years print them.
    pub decisions: ByDomain<DecisionRates>,
    /// Expected F1 over all thresholds.
    pub f1_ev: Option<f64>,
    /// Expected F1 over the thresholds that the normals suggest.
    pub f1_ev_bounded: Option<f64>,
    /// Bootstrap interval of `auc`.
    pub auc_interval: Option<Interval>,
    /// Bootstrap interval of `pauc`.
    pub pauc_interval: Option<Interval>,
    /// Bootstrap interval of `auc_source`.
    pub auc_source_interval: Option<Interval>,
    /// Bootstrap interval of `auc_target`.
    pub auc_target_interval: Option<Interval>,
}

/// Means over the rows of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineMetrics {
    /// Machine type.
    pub machine: String,
    /// Arithmetic means.
    pub arithmetic: MetricMeans,
    /// Harmonic means, each value floored at machine epsilon.
    pub harmonic: MetricMeans,
}

/// Means of the columns of [`SectionMetrics`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricMeans {
    /// Of the AUC.
    pub auc: Option<f64>,
    /// Of the partial AUC.
    pub pauc: Option<f64>,
    /// Of the source AUC.
    pub auc_source: Option<f64>,
    /// Of the target AUC.
    pub auc_target: Option<f64>,
    /// Of the precision.
    pub precision: Option<f64>,
    /// Of the recall.
    pub recall: Option<f64>,
    /// Of the F1.
    pub f1: Option<f64>,
}

/// Bootstrap intervals of the headline numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HeadlineIntervals {
    /// Of [`Metrics::official_score`].
    pub official_score: Option<Interval>,
    /// Of [`Metrics::auc`].
    pub auc: Option<Interval>,
    /// Of [`Metrics::auc_source`].
    pub auc_source: Option<Interval>,
    /// Of [`Metrics::auc_target`].
    pub auc_target: Option<Interval>,
    /// Of [`Metrics::pauc`].
    pub pauc: Option<Interval>,
}

impl Metrics {
    /// The numbers that stand for the whole evaluation.
    pub fn headline(&self) -> Headline {
        Headline {
            official_score: self.official_score,
            auc: self.auc,
            auc_source: self.auc_source,
            auc_target: self.auc_target,
            pauc: self.pauc,
            own_domain: self.own_domain,
        }
    }
}
