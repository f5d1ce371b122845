//! Results of a study as charts: the trials of every cell, and what happened while training.

use std::{collections::BTreeMap, path::Path};

use offkey::OffkeyError;
use offkey_report::chart::{ChartRow, LineChart, RowChart, Series, write_chart};

use crate::results::{EpochRow, JobResult, by_data, cells, ordered, values};

/// What is drawn of a result: file name, title, value.
pub(crate) type Metric = (&'static str, &'static str, fn(&JobResult) -> Option<f64>);

const METRICS: [Metric; 4] = [
    ("auc", "AUC", |result| result.metrics.auc),
    ("pauc", "pAUC", |result| result.metrics.pauc),
    ("auc_source", "AUC source", |result| result.metrics.auc_source),
    ("auc_target", "AUC target", |result| result.metrics.auc_target),
];

/// What is drawn of an epoch: file name, title, unit, value.
type Quantity = (&'static str, &'static str, &'static str, fn(&EpochRow) -> Option<f64>);

const QUANTITIES: [Quantity; 7] = [
    ("train_intra", "distance to the own class", "mean squared distance", |row| row.train_intra),
    ("train_inter", "distance to the nearest other class", "mean squared distance", |row| {
        row.train_inter
    }),
    ("train_between", "distance between classes", "mean squared distance", |row| row.train_between),
    ("held_out_intra", "distance to the own class, held out", "mean squared distance", |row| {
        row.held_out_intra
    }),
    ("embedding_variance", "variance of the embeddings", "variance", |row| {
        Some(row.embedding_variance)
    }),
    ("scale", "scale of the cosines", "scale", |row| row.scale),
    ("loss", "loss", "loss", |row| Some(row.loss)),
];

/// Writes every chart as SVG, with its numbers as CSV beside it.
pub(crate) fn write(
    folder: &Path,
    results: &[JobResult],
    epochs: &[EpochRow],
) -> Result<(), OffkeyError> {
    for (name, chart) in trials(results) {
        write_chart(folder, &name, &chart).map_err(OffkeyError::io(folder))?;
    }
    for (name, chart) in curves(epochs) {
        write_chart(folder, &name, &chart).map_err(OffkeyError::io(folder))?;
    }
    Ok(())
}

/// The metrics that results have; those by domain where there are two.
pub(crate) fn metrics_of(results: &[&JobResult]) -> Vec<&'static Metric> {
    let has_target = results.iter().any(|result| result.metrics.auc_target.is_some());
    let shown = if has_target { &METRICS[..] } else { &METRICS[..2] };
    shown.iter().filter(|metric| results.iter().any(|result| metric.2(result).is_some())).collect()
}

/// For each data set and metric, by file name: every trial, a row a cell.
pub(crate) fn trials(results: &[JobResult]) -> Vec<(String, RowChart)> {
    let mut charts = Vec::new();
    for (data, results) in by_data(results) {
        for (name, title, of) in metrics_of(&results) {
            let row =
                |cell: &str| ChartRow { name: cell.to_owned(), values: values(&results, cell, of) };
            let rows = cells(&results).into_iter().map(row);
            let chart = RowChart {
                title: format!("{title} on {data}"),
                x_title: format!("{title}, one dot a trial"),
                rows: rows.filter(|row| !row.values.is_empty()).collect(),
            };
            charts.push((file_name(name, data), chart));
        }
    }
    charts
}

/// For each data set and quantity, by file name: a line a cell over epochs, the mean over its trials.
pub(crate) fn curves(epochs: &[EpochRow]) -> Vec<(String, LineChart)> {
    let mut charts = Vec::new();
    for data in ordered(epochs.iter().map(|row| row.data.as_str())) {
        let of_data: Vec<&EpochRow> = epochs.iter().filter(|row| row.data == data).collect();
        for (name, title, unit, of) in QUANTITIES {
            let series: Vec<Series> = ordered(of_data.iter().map(|row| row.cell.as_str()))
                .into_iter()
                .map(|cell| curve(cell, &of_data, of))
                .filter(|series| !series.points.is_empty())
                .collect();
            if !series.is_empty() {
                let chart = LineChart::lines(&format!("{data}: {title}"), "epoch", unit, series);
                charts.push((file_name(name, data), chart));
            }
        }
    }
    charts
}

fn curve(cell: &str, rows: &[&EpochRow], of: fn(&EpochRow) -> Option<f64>) -> Series {
    let mut of_epoch: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.cell == cell) {
        if let Some(value) = of(row).filter(|value| value.is_finite()) {
            of_epoch.entry(row.epoch).or_default().push(value);
        }
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let points = of_epoch.into_iter().map(|(epoch, values)| [epoch as f64, mean(values)]);
    Series { name: cell.to_owned(), points: points.collect() }
}

/// Characters of a data set's name that a file system might not take become `_`.
fn file_name(quantity: &str, data: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{quantity}_{}", data.chars().map(safe).collect::<String>())
}
