//! Results of a study as tidy CSV files: one number a row.

use std::{collections::BTreeSet, fs, path::Path};

use offkey_core::{Seed, table};
use offkey_eval::Metrics;
use rand::RngExt;
use serde::Serialize;

use super::{execute::JobResult, file::StudyFile, pictures, tables};
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

/// One row of `differences.csv`: a cell against the one it is compared with.
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
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) trials: usize,
}

/// A paired difference over trials, with its 95 % bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub(crate) mean: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// Resamples behind an interval.
const RESAMPLES: usize = 5000;

/// Variance of unit embeddings, 1 at most, below which the alarm of `compactness.csv` is raised:
/// the clips then lie within some six degrees of their mean.
const COLLAPSED_VARIANCE: f64 = 0.01;

/// Writes `results.csv`, `differences.csv`, `compactness.csv` where it was measured, `tables.md`
/// and `pictures/`.
pub(crate) fn write(
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
    run_folder::write_atomically(&folder.join("tables.md"), text.as_bytes())
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
    for data in ordered(results.iter().map(|result| result.data.as_str())) {
        let of_data: Vec<&JobResult> = results.iter().filter(|r| r.data == data).collect();
        let machines: Vec<&str> = std::iter::once("").chain(machines(&of_data)).collect();
        for cell in ordered(of_data.iter().map(|result| result.cell.as_str())) {
            for &machine in &machines {
                let pairs = pairs(study, &of_data, cell, &|metrics| auc(metrics, machine));
                let Some(&(reference, _)) = pairs.first() else { continue };
                let values: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
                rows.extend(difference(&values).map(|d| DifferenceRow {
                    data,
                    cell,
                    reference,
                    machine,
                    metric: "auc",
                    pairs: values.len(),
                    mean: d.mean,
                    lower: d.lower,
                    upper: d.upper,
                }));
            }
        }
    }
    rows
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

/// What a cell has more than the cell it is compared with, trial by trial, and that cell's name.
pub(super) fn pairs<'a>(
    study: &StudyFile,
    results: &[&'a JobResult],
    cell: &str,
    value: &dyn Fn(&Metrics) -> Option<f64>,
) -> Vec<(&'a str, f64)> {
    // A confirmation has the levels of a cell of the grid, and is compared with it, never it with one.
    let is_in_grid = |cell: &str| study.confirm.iter().all(|confirmed| confirmed.name != cell);
    let pair = |result: &&JobResult| {
        let reference = reference_levels(study, &result.levels);
        let is_reference = |other: &&&'a JobResult| {
            let same = other.trial == result.trial && other.levels == reference;
            same && is_in_grid(&other.cell)
        };
        let other: &'a JobResult = results.iter().find(is_reference).filter(|o| o.cell != cell)?;
        Some((other.cell.as_str(), value(&result.metrics)? - value(&other.metrics)?))
    };
    results.iter().filter(|result| result.cell == cell).filter_map(pair).collect()
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

/// The levels a cell is compared with: its own, but for the factor that has a reference.
fn reference_levels(study: &StudyFile, levels: &[String]) -> Vec<String> {
    let compared = study.factors.iter().position(|f| f.reference.is_some()).unwrap_or(0);
    let factor = &study.factors[compared];
    let reference = factor.reference.as_ref().unwrap_or(&factor.levels[0].name);
    let mut levels = levels.to_vec();
    levels[compared].clone_from(reference);
    levels
}

/// Distinct items in the order of their first appearance.
pub(super) fn ordered<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

/// Mean and sample deviation; a single trial has deviation 0.
pub(crate) fn spread(values: &[f64]) -> Option<Spread> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
    Some(Spread { mean, deviation, trials: values.len() })
}

/// Mean difference with its percentile bootstrap interval; none for fewer than two pairs.
pub(crate) fn difference(pairs: &[f64]) -> Option<Difference> {
    if pairs.len() < 2 {
        return None;
    }
    let mut rng = Seed::new(0).child("paired differences").rng();
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = (0..pairs.len()).map(|_| pairs[rng.random_range(0..pairs.len())]).sum();
            sum / pairs.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
    Some(Difference { mean, lower: at(0.025), upper: at(0.975) })
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

    #[test]
    fn the_interval_of_equal_differences_is_their_value() {
        let d = difference(&[0.25; 5]).expect("five pairs");
        assert_eq!((d.mean, d.lower, d.upper), (0.25, 0.25, 0.25));
    }

    #[test]
    fn the_interval_holds_the_mean_and_widens_with_the_spread() {
        let narrow = difference(&[0.1, 0.11, 0.09, 0.1, 0.1]).expect("five pairs");
        let wide = difference(&[0.1, 0.3, -0.1, 0.2, 0.0]).expect("five pairs");
        assert!(wide.lower < wide.mean && wide.mean < wide.upper);
        assert!(wide.upper - wide.lower > narrow.upper - narrow.lower);
    }
}
