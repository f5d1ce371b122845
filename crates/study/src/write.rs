//! Results of a study as files: tidy CSV with one number per row, tables, pictures and the page.

use std::{collections::BTreeSet, fs, path::Path};

use offkey::{CompactnessRow, OffkeyError, RunFolder, files};
use offkey_core::table;
use serde::Serialize;

use crate::{
    compare::{Pairs, amounts, changes, difference, pairs},
    file::StudyFile,
    page, pictures,
    results::{EpochRow, JobResult, by_data, cells, machines, overlap},
    tables,
};

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
    /// Empty for two pairs, as `upper`.
    lower: Option<f64>,
    upper: Option<f64>,
}

/// Variance of unit embeddings, 1 at most, below which the alarm of `compactness.csv` is raised:
/// the clips then lie within some six degrees of their mean.
const COLLAPSED_VARIANCE: f64 = 0.01;

/// Writes `results.csv`, `differences.csv`, `compactness.csv` where it was measured, `tables.md`,
/// `pictures/` and the page.
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
    files::write_atomically(&folder.join("tables.md"), text.as_bytes())?;
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
                    let d = difference(&amounts(pairs), overlap(&of_data))?;
                    Some(DifferenceRow {
                        data,
                        cell,
                        reference: pairs[0].0,
                        machine,
                        metric,
                        pairs: pairs.len(),
                        mean: d.mean,
                        lower: d.interval.map(|interval| interval.low),
                        upper: d.interval.map(|interval| interval.high),
                    })
                };
                rows.extend(row("auc", &pairs(study, &of_data, cell, machine)));
                rows.extend(row("auc lead", &changes(study, &of_data, cell, machine)));
            }
        }
    }
    rows
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
            train_between: epoch.train_between,
            train_accuracy: epoch.train_accuracy,
            held_out_accuracy: epoch.held_out_accuracy,
            train_loss: epoch.train_loss,
            held_out_loss: epoch.held_out_loss,
            pull: epoch.pull,
            push: epoch.push,
            agreement: epoch.agreement,
            trivial_loss: epoch.trivial_loss,
            train_own_centre: epoch.train_own_centre,
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
