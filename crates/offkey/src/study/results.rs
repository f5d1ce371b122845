//! Results of a study as tidy CSV files: one number a row.

use std::{collections::BTreeSet, fs, path::Path};

use offkey_core::table;
use offkey_eval::Metrics;
use serde::Serialize;

use super::{
    compare::{Pairs, amounts, changes, difference, pairs},
    execute::JobResult,
    file::StudyFile,
    page, pictures, tables,
};
use crate::{OffkeyError, RunFolder, run_folder, stage::CompactnessRow};

/// One row of `compactness.csv`: one epoch of one training.
#[derive(Debug, Clone, Serialize)]
pub(super) struct EpochRow {
    pub(super) data: String,
    pub(super) trial: u64,
    pub(super) cell: String,
    pub(super) epoch: usize,
    pub(super) loss: f64,
    pub(super) scale: Option<f64>,
    pub(super) embedding_variance: f64,
    /// The collapse alarm: all embeddings point nearly the same way.
    pub(super) collapsed: bool,
    pub(super) train_intra: Option<f64>,
    pub(super) train_inter: Option<f64>,
    pub(super) held_out_intra: Option<f64>,
    pub(super) held_out_inter: Option<f64>,
}

/// One row of `differences.csv`: of metric `auc`, a cell against the one it is compared with; of
/// `auc lead`, what that difference is more than at the base levels of the other factors.
#[derive(Debug, Serialize)]
struct DifferenceRow<'a> {
    data: &'a str,
    cell: &'a str,
    reference: &'a str,
    /// Empty for all machines together.
    machine: &'a str,
    metric: &'static str,
    pairs: usize,
    mean: f64,
    lower: f64,
    upper: f64,
}

/// Mean, deviation and count of a metric over trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    pub(super) trials: usize,
}

/// Variance of unit embeddings, 1 at most, below which the alarm of `compactness.csv` is raised:
/// the clips then lie within some six degrees of their mean.
const COLLAPSED_VARIANCE: f64 = 0.01;

/// Writes `results.csv`, `differences.csv`, `compactness.csv` where it was measured, `tables.md`,
/// `pictures/` and the page.
pub(super) fn write(
    folder: &Path,
    study: &StudyFile,
    results: &[JobResult],
) -> Result<(), OffkeyError> {
    table::write_csv(&folder.join("results.csv"), &tidy(study, results))?;
    table::write_csv(&folder.join("differences.csv"), &differences(study, results))?;
    let epochs = epochs(folder, results)?;
    write_epochs(&folder.join("compactness.csv"), &epochs)?;
    pictures::write(&folder.join("pictures"), results, &epochs)?;
    let text = tables::markdown(study, results, &epochs);
    run_folder::write_atomically(&folder.join("tables.md"), text.as_bytes())?;
    page::write(folder, study, results, &epochs)
}

/// A header, then one row a number, with one column a factor.
fn tidy(study: &StudyFile, results: &[JobResult]) -> Vec<Vec<String>> {
    let factors = study.factors.iter().map(|factor| factor.name.as_str());
    let header = ["data", "trial", "cell"].into_iter().chain(factors);
    let header = header.chain(["machine", "section", "metric", "value"]);
    let mut rows: Vec<Vec<String>> = vec![header.map(str::to_owned).collect()];
    for result in results {
        let trial = result.trial.to_string();
        let mut push = |machine: &str, section: &str, metric: &str, value: Option<f64>| {
            let Some(value) = value.map(|value| value.to_string()) else { return };
            let mut row = vec![result.data.clone(), trial.clone(), result.cell.clone()];
            row.extend(result.levels.iter().cloned());
            row.extend([machine, section, metric, &value].map(str::to_owned));
            rows.push(row);
        };
        let metrics = &result.metrics;
        push("", "", "official_score", metrics.official_score);
        push("", "", "auc", metrics.auc);
        push("", "", "auc_source", metrics.auc_source);
        push("", "", "auc_target", metrics.auc_target);
        push("", "", "pauc", metrics.pauc);
        push("", "", "train_seconds", result.train_seconds);
        push("", "", "train_cpu_seconds", result.train_cpu_seconds);
        push("", "", "clips_per_second", result.clips_per_second);
        push("", "", "peak_memory_bytes", result.peak_memory_bytes.map(|bytes| bytes as f64));
        for row in &metrics.per_section {
            push(&row.machine, &row.section, "auc", row.auc);
            push(&row.machine, &row.section, "pauc", row.pauc);
        }
    }
    rows
}

fn differences<'a>(study: &StudyFile, results: &'a [JobResult]) -> Vec<DifferenceRow<'a>> {
    let mut rows = Vec::new();
    for (data, of_data) in by_data(results) {
        let machines: Vec<&str> = std::iter::once("").chain(machines(&of_data)).collect();
        for cell in cells(&of_data) {
            for &machine in &machines {
                let row = |metric: &'static str, pairs: &Pairs<'a>| {
                    let d = difference(&amounts(pairs))?;
                    Some(DifferenceRow {
                        data,
                        cell,
                        reference: pairs[0].0,
                        machine,
                        metric,
                        pairs: pairs.len(),
                        mean: d.mean,
                        lower: d.lower,
                        upper: d.upper,
                    })
                };
                rows.extend(row("auc", &pairs(study, &of_data, cell, machine)));
                rows.extend(row("auc lead", &changes(study, &of_data, cell, machine)));
            }
        }
    }
    rows
}

/// The results of each data set, in the order of their first appearance.
pub(super) fn by_data(results: &[JobResult]) -> Vec<(&str, Vec<&JobResult>)> {
    ordered(results.iter().map(|result| result.data.as_str()))
        .into_iter()
        .map(|data| (data, results.iter().filter(|result| result.data == data).collect()))
        .collect()
}

/// Every cell of these results.
pub(super) fn cells<'a>(results: &[&'a JobResult]) -> Vec<&'a str> {
    ordered(results.iter().map(|result| result.cell.as_str()))
}

/// What the trials of a cell have of something.
pub(super) fn values(
    results: &[&JobResult],
    cell: &str,
    of: &dyn Fn(&JobResult) -> Option<f64>,
) -> Vec<f64> {
    results.iter().filter(|result| result.cell == cell).filter_map(|result| of(result)).collect()
}

/// The AUC of one machine, or of all where `machine` is empty.
pub(super) fn auc(metrics: &Metrics, machine: &str) -> Option<f64> {
    if machine.is_empty() {
        return metrics.auc;
    }
    metrics.per_machine.iter().find(|m| m.machine == machine)?.arithmetic.auc
}

/// Every machine of these results.
pub(super) fn machines<'a>(results: &[&'a JobResult]) -> Vec<&'a str> {
    ordered(results.iter().flat_map(|r| r.metrics.per_machine.iter().map(|m| m.machine.as_str())))
}

/// Every epoch of every training that was measured.
fn epochs(folder: &Path, results: &[JobResult]) -> Result<Vec<EpochRow>, OffkeyError> {
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for result in results.iter().filter(|result| seen.insert(&result.model)) {
        let run = RunFolder::open_to_read(&folder.join(&result.model))?;
        if !run.compactness().is_file() {
            continue;
        }
        let epochs: Vec<CompactnessRow> = table::read_csv(&run.compactness())?;
        rows.extend(epochs.into_iter().map(|epoch| EpochRow {
            data: result.data.clone(),
            trial: result.trial,
            cell: result.cell.clone(),
            epoch: epoch.epoch,
            loss: epoch.loss,
            scale: epoch.scale,
            embedding_variance: epoch.embedding_variance,
            collapsed: epoch.embedding_variance < COLLAPSED_VARIANCE,
            train_intra: epoch.train_intra,
            train_inter: epoch.train_inter,
            held_out_intra: epoch.held_out_intra,
            held_out_inter: epoch.held_out_inter,
        }));
    }
    Ok(rows)
}

fn write_epochs(path: &Path, rows: &[EpochRow]) -> Result<(), OffkeyError> {
    if !rows.is_empty() {
        return Ok(table::write_csv(path, rows)?);
    }
    if path.is_file() { fs::remove_file(path).map_err(OffkeyError::io(path)) } else { Ok(()) }
}

/// Distinct items in the order of their first appearance.
pub(super) fn ordered<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

/// Mean and sample deviation; a single trial has deviation 0.
pub(super) fn spread(values: &[f64]) -> Option<Spread> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
    Some(Spread { mean, deviation, trials: values.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_the_sample_deviation() {
        let Spread { mean, deviation, trials } = spread(&[1.0, 2.0, 3.0]).expect("three values");
        assert_eq!((mean, deviation, trials), (2.0, 1.0, 3));
        assert_eq!(spread(&[]), None);
    }
}
