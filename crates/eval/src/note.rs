//! Why a number is missing, or stands for less than all: said beside the numbers.

use offkey_core::stats::NoInterval;
use serde::{Deserialize, Serialize};

/// Something that a reader of metrics should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// The official formula needs domains, and rows lack them.
    #[error(
        "no official score: its formula needs clips of the source and of the target domain, which \
        {rows} of {of} rows lack"
    )]
    NoDomains {
        /// Rows that lack one.
        rows: usize,
        /// Rows with normal and anomalous clips.
        of: usize,
    },
    /// No row has both conditions.
    #[error("no AUC and no official score: no row has both normal and anomalous clips")]
    NothingToRank,
    /// A row is in no mean.
    #[error(
        "{row} has no AUC and is in no mean: {normal} normal and {anomalous} anomalous clips, \
        {unlabelled} without label"
    )]
    RowLeftOut {
        /// Machine, section and, where domains are scored apart, domain.
        row: String,
        /// Its normal clips.
        normal: usize,
        /// Its anomalous clips.
        anomalous: usize,
        /// Its clips without label.
        unlabelled: usize,
    },
    /// A mean is over fewer rows than there are.
    #[error("the mean {metric} is over {rows} of {of} rows: the others lack it")]
    FewerRows {
        /// The metric.
        metric: String,
        /// Rows that have it.
        rows: usize,
        /// Rows with normal and anomalous clips.
        of: usize,
    },
    /// There is no interval.
    #[error("no interval of {of}: {reason}")]
    NoInterval {
        /// A row, or the means.
        of: String,
        /// Why.
        reason: NoInterval,
    },
}
