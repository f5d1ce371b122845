//! What a study found: the result of each job, and what is asked of many of them.

use std::collections::BTreeSet;

use offkey_core::stats;
use offkey_eval::Metrics;
use serde::{Deserialize, Serialize};

/// The result of one job, as `results/<key>.json` keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// Data set.
    pub data: String,
    /// Trial.
    pub trial: u64,
    /// Cell.
    pub cell: String,
    /// One level a factor.
    pub levels: Vec<String>,
    /// The metrics.
    pub metrics: Metrics,
    /// Seconds of training, shared by the jobs that share the model.
    pub train_seconds: Option<f64>,
    /// Processor seconds of training.
    pub train_cpu_seconds: Option<f64>,
    /// Clips through training steps per second.
    pub clips_per_second: Option<f64>,
    /// Largest resident memory of the process when the job was done.
    pub peak_memory_bytes: Option<u64>,
    /// The folder of the model.
    pub model: String,
    /// Which clips it was trained and tested on; absent for synthetic sets, which every trial has of its own, and in
    /// results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitOfClips>,
}

/// The clips of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitOfClips {
    /// SHA-256 over the clips and what is known of them.
    pub fingerprint: String,
    /// Training clips.
    pub training: usize,
    /// Test clips.
    pub test: usize,
}

impl SplitOfClips {
    /// Test clips per training clip where trials are different splits of a set, whose training clips then
    /// overlap; 0 where all are of one split.
    pub(crate) fn overlap<'a>(splits: impl IntoIterator<Item = &'a Self>) -> f64 {
        let splits: Vec<&Self> = splits.into_iter().collect();
        let distinct: BTreeSet<&str> = splits.iter().map(|s| s.fingerprint.as_str()).collect();
        if distinct.len() < 2 {
            return 0.0;
        }
        let shares: Vec<f64> =
            splits.iter().map(|s| s.test as f64 / s.training.max(1) as f64).collect();
        stats::mean(&shares).unwrap_or(0.0)
    }
}

/// As [`SplitOfClips::overlap`], of all trials of some results.
pub(crate) fn overlap(results: &[&JobResult]) -> f64 {
    SplitOfClips::overlap(results.iter().filter_map(|result| result.split.as_ref()))
}

/// One row of `compactness.csv`: one epoch of one training.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EpochRow {
    pub(crate) data: String,
    pub(crate) trial: u64,
    pub(crate) cell: String,
    pub(crate) epoch: usize,
    pub(crate) loss: f64,
    pub(crate) scale: Option<f64>,
    pub(crate) embedding_variance: f64,
    /// The collapse alarm: all embeddings point nearly the same way.
    pub(crate) collapsed: bool,
    pub(crate) train_intra: Option<f64>,
    pub(crate) train_inter: Option<f64>,
    pub(crate) held_out_intra: Option<f64>,
    pub(crate) held_out_inter: Option<f64>,
    /// Between the mean directions of two classes.
    pub(crate) train_between: Option<f64>,
    /// Share of clips that lie nearest to their own class.
    pub(crate) train_accuracy: Option<f64>,
    pub(crate) held_out_accuracy: Option<f64>,
    /// Mean loss of the task on training clips after the epoch, and on held-out ones.
    pub(crate) train_loss: Option<f64>,
    pub(crate) held_out_loss: Option<f64>,
    /// The gradient of a softmax loss, split, and what a collapsed model pays at least.
    pub(crate) pull: Option<f64>,
    pub(crate) push: Option<f64>,
    pub(crate) agreement: Option<f64>,
    pub(crate) trivial_loss: Option<f64>,
    /// To the nearest of the loss's own centres.
    pub(crate) train_own_centre: Option<f64>,
}

/// Mean, deviation and count of a metric over trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) trials: usize,
}

/// The results of each data set, in the order of their first appearance.
pub(crate) fn by_data(results: &[JobResult]) -> Vec<(&str, Vec<&JobResult>)> {
    ordered(results.iter().map(|result| result.data.as_str()))
        .into_iter()
        .map(|data| (data, results.iter().filter(|result| result.data == data).collect()))
        .collect()
}

/// Every cell of these results.
pub(crate) fn cells<'a>(results: &[&'a JobResult]) -> Vec<&'a str> {
    ordered(results.iter().map(|result| result.cell.as_str()))
}

/// What the trials of a cell have of something.
pub(crate) fn values(
    results: &[&JobResult],
    cell: &str,
    of: &dyn Fn(&JobResult) -> Option<f64>,
) -> Vec<f64> {
    results.iter().filter(|result| result.cell == cell).filter_map(|result| of(result)).collect()
}

/// The AUC of one machine, or of all where `machine` is empty.
pub(crate) fn auc(metrics: &Metrics, machine: &str) -> Option<f64> {
    if machine.is_empty() {
        return metrics.auc;
    }
    metrics.per_machine.iter().find(|m| m.machine == machine)?.arithmetic.auc
}

/// Every machine of these results.
pub(crate) fn machines<'a>(results: &[&'a JobResult]) -> Vec<&'a str> {
    ordered(results.iter().flat_map(|r| r.metrics.per_machine.iter().map(|m| m.machine.as_str())))
}

/// Distinct items in the order of their first appearance.
pub(crate) fn ordered<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

/// Mean and sample deviation; a single trial has deviation 0.
pub(crate) fn spread(values: &[f64]) -> Option<Spread> {
    let deviation = stats::deviation(values).unwrap_or(0.0);
    Some(Spread { mean: stats::mean(values)?, deviation, trials: values.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_that_differ_share_training_clips_and_one_split_does_not() {
        let split = |fingerprint: &str| SplitOfClips {
            fingerprint: fingerprint.to_owned(),
            training: 80,
            test: 20,
        };
        assert_eq!(SplitOfClips::overlap(&[split("a"), split("a")]).to_bits(), 0.0_f64.to_bits());
        assert_eq!(SplitOfClips::overlap(&[split("a"), split("b")]).to_bits(), 0.25_f64.to_bits());
        assert_eq!(SplitOfClips::overlap(&[]).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn spread_is_the_sample_deviation() {
        let Spread { mean, deviation, trials } = spread(&[1.0, 2.0, 3.0]).expect("three values");
        assert_eq!((mean, deviation, trials), (2.0, 1.0, 3));
        assert_eq!(spread(&[]), None);
    }
}
