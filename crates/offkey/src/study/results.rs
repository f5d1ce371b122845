//! Results of a study as a tidy CSV and as tables with error bars.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use offkey_core::{Seed, table};
use rand::RngExt;
use serde::Serialize;

use super::{execute::JobResult, file::StudyFile};
use crate::{OffkeyError, RunFolder, run_folder, stage::CompactnessRow};

/// One row of `results.csv`: one number.
#[derive(Debug, Serialize)]
struct TidyRow<'a> {
    data: &'a str,
    trial: u64,
    cell: &'a str,
    machine: &'a str,
    section: &'a str,
    metric: &'static str,
    value: f64,
}

/// One row of `compactness.csv`: one epoch of one training.
#[derive(Debug, Serialize)]
struct EpochRow<'a> {
    data: &'a str,
    trial: u64,
    cell: &'a str,
    epoch: usize,
    loss: f64,
    scale: Option<f64>,
    embedding_variance: f64,
    train_intra: Option<f64>,
    train_inter: Option<f64>,
    held_out_intra: Option<f64>,
    held_out_inter: Option<f64>,
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

/// Writes `results.csv`, `compactness.csv` where it was measured, and `tables.md`.
pub(crate) fn write(
    folder: &Path,
    study: &StudyFile,
    results: &[JobResult],
) -> Result<(), OffkeyError> {
    table::write_csv(&folder.join("results.csv"), &tidy(results))?;
    write_compactness(folder, results)?;
    run_folder::write_atomically(&folder.join("tables.md"), markdown(study, results).as_bytes())
}

fn tidy(results: &[JobResult]) -> Vec<TidyRow<'_>> {
    let mut rows = Vec::new();
    for result in results {
        let mut push = |machine, section, metric, value: Option<f64>| {
            let (data, trial, cell) = (result.data.as_str(), result.trial, result.cell.as_str());
            rows.extend(value.map(|value| TidyRow {
                data,
                trial,
                cell,
                machine,
                section,
                metric,
                value,
            }));
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
        for row in &metrics.per_section {
            push(&row.machine, &row.section, "auc", row.auc);
            push(&row.machine, &row.section, "pauc", row.pauc);
        }
    }
    rows
}

fn write_compactness(folder: &Path, results: &[JobResult]) -> Result<(), OffkeyError> {
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for result in results.iter().filter(|result| seen.insert(&result.model)) {
        let run = RunFolder::open_to_read(&folder.join(&result.model))?;
        if !run.compactness().is_file() {
            continue;
        }
        let epochs: Vec<CompactnessRow> = table::read_csv(&run.compactness())?;
        rows.extend(epochs.into_iter().map(|epoch| EpochRow {
            data: &result.data,
            trial: result.trial,
            cell: &result.cell,
            epoch: epoch.epoch,
            loss: epoch.loss,
            scale: epoch.scale,
            embedding_variance: epoch.embedding_variance,
            train_intra: epoch.train_intra,
            train_inter: epoch.train_inter,
            held_out_intra: epoch.held_out_intra,
            held_out_inter: epoch.held_out_inter,
        }));
    }
    let path = folder.join("compactness.csv");
    if rows.is_empty() {
        return if path.is_file() {
            fs::remove_file(&path).map_err(OffkeyError::io(&path))
        } else {
            Ok(())
        };
    }
    Ok(table::write_csv(&path, &rows)?)
}

/// One table a data set: cells as rows, metrics as columns, in percent.
fn markdown(study: &StudyFile, results: &[JobResult]) -> String {
    let mut text = format!("# {}\n\n{}\n", study.name, study.question);
    for data in ordered(results.iter().map(|result| result.data.as_str())) {
        let of_data: Vec<&JobResult> = results.iter().filter(|r| r.data == data).collect();
        let machines = ordered(
            of_data.iter().flat_map(|r| r.metrics.per_machine.iter().map(|m| m.machine.as_str())),
        );
        let _ = write!(
            text,
            "\n## {data}\n\nPercent; mean ± standard deviation over trials. The difference is that of the AUC, trial by \
             trial, to the reference level, with its 95 % bootstrap interval over trials.\n\n\
             | cell | trials | AUC | pAUC | AUC source | AUC target | difference |"
        );
        for machine in &machines {
            let _ = write!(text, " {machine} |");
        }
        let _ = write!(text, " train s | CPU s |\n|{}\n", " --- |".repeat(9 + machines.len()));
        for cell in ordered(of_data.iter().map(|result| result.cell.as_str())) {
            text += &table_row(study, &of_data, cell, &machines);
        }
    }
    text
}

fn table_row(study: &StudyFile, results: &[&JobResult], cell: &str, machines: &[&str]) -> String {
    let of_cell: Vec<&JobResult> = results.iter().copied().filter(|r| r.cell == cell).collect();
    let column = |value: &dyn Fn(&JobResult) -> Option<f64>| {
        let values: Vec<f64> = of_cell.iter().filter_map(|result| value(result)).collect();
        spread(&values).map_or_else(
            || "-".to_owned(),
            |s| format!("{:.1} ± {:.1}", 100.0 * s.mean, 100.0 * s.deviation),
        )
    };
    let seconds = |value: &dyn Fn(&JobResult) -> Option<f64>| {
        let values: Vec<f64> = of_cell.iter().filter_map(|result| value(result)).collect();
        spread(&values).map_or_else(|| "-".to_owned(), |s| format!("{:.0}", s.mean))
    };
    let reference = reference_levels(study, &of_cell[0].levels);
    let pairs: Vec<f64> = of_cell
        .iter()
        .filter_map(|result| {
            let other = results.iter().find(|r| {
                r.trial == result.trial && r.levels == reference && r.cell != result.cell
            })?;
            Some(result.metrics.auc? - other.metrics.auc?)
        })
        .collect();
    let difference = difference(&pairs).map_or_else(String::new, |d| {
        format!("{:+.1} [{:+.1}, {:+.1}]", 100.0 * d.mean, 100.0 * d.lower, 100.0 * d.upper)
    });
    let mut row = format!(
        "| {cell} | {} | {} | {} | {} | {} | {difference} |",
        of_cell.len(),
        column(&|r| r.metrics.auc),
        column(&|r| r.metrics.pauc),
        column(&|r| r.metrics.auc_source),
        column(&|r| r.metrics.auc_target),
    );
    for machine in machines {
        let of_machine = |r: &JobResult| {
            r.metrics.per_machine.iter().find(|m| m.machine == *machine)?.arithmetic.auc
        };
        let _ = write!(row, " {} |", column(&of_machine));
    }
    let _ = writeln!(
        row,
        " {} | {} |",
        seconds(&|r| r.train_seconds),
        seconds(&|r| r.train_cpu_seconds)
    );
    row
}

/// The levels a cell is compared with: its own, but for the factor that has a reference.
pub(super) fn reference_levels(study: &StudyFile, levels: &[String]) -> Vec<String> {
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
