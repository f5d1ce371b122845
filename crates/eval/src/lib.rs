//! Scores and truth to numbers: official metrics of every challenge year.
//!
//! Start at [`evaluate`]: scored clips in, [`Metrics`] out. Below it lie pure functions on slices
//! ([`auc`], [`pauc`], [`f1_ev`] ...) that know nothing of clips. Nothing here knows how a score
//! was made; larger is more anomalous, always.

mod bootstrap;
mod compare;
mod curve;
mod decisions;
mod error;
mod evaluate;
mod histogram;
mod means;
mod measured;
mod metrics;
mod note;
mod notes;
mod official;
mod ranked;
mod result_rows;
mod submission;
mod trials;

pub use bootstrap::BootstrapConfig;
pub use compare::{Compared, Comparison, Drawn, Estimate, Lead, compare};
pub use curve::{RocPoint, auc, pauc, roc};
pub use decisions::{DecisionRates, bounded_f1_ev, decision_rates, f1_ev};
pub use error::EvalError;
pub use evaluate::{evaluate, evaluate_with};
pub use histogram::{ScoreHistogram, score_histogram};
pub use means::harmonic_mean;
pub use metrics::{
    ByDomain, Headline, HeadlineIntervals, MachineMetrics, MetricMeans, Metrics, OfficialTerm,
    OwnDomain, SectionMetrics, TermName, TrialMetrics,
};
pub use note::Note;
pub use offkey_core::stats::Interval;
pub use submission::write_submission;
pub use trials::aggregate;
