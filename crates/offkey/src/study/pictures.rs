//! Results of a study as pictures: the trials of every cell, and what happened while training.

use std::{collections::BTreeMap, path::Path};

use offkey_report::chart::{ChartRow, LineChart, RowChart, Series, write_chart};

use super::{
    execute::JobResult,
    results::{EpochRow, ordered},
};
use crate::OffkeyError;

/// A column of `compactness.csv` that is drawn: file name, axis title, value.
type Quantity = (&'static str, &'static str, fn(&EpochRow) -> Option<f64>);

const QUANTITIES: [Quantity; 5] = [
    ("train_intra", "mean squared distance to the own centre", |row| row.train_intra),
    ("train_inter", "mean squared distance to other centres", |row| row.train_inter),
    ("embedding_variance", "variance of the embeddings", |row| Some(row.embedding_variance)),
    ("scale", "scale of the cosines", |row| row.scale),
    ("loss", "loss", |row| Some(row.loss)),
];

/// Writes one SVG and its numbers as CSV for each data set and quantity.
pub(super) fn write(
    folder: &Path,
    results: &[JobResult],
    epochs: &[EpochRow],
) -> Result<(), OffkeyError> {
    for data in ordered(results.iter().map(|result| result.data.as_str())) {
        let of_data: Vec<&JobResult> = results.iter().filter(|r| r.data == data).collect();
        let name = |quantity: &str| format!("{quantity}_{}", file_stem(data));
        write_chart(folder, &name("auc"), &trials(data, &of_data))
            .map_err(OffkeyError::io(folder))?;
        let of_data: Vec<&EpochRow> = epochs.iter().filter(|row| row.data == data).collect();
        for (quantity, title, value) in QUANTITIES {
            if let Some(chart) = curves(data, title, &of_data, value) {
                write_chart(folder, &name(quantity), &chart).map_err(OffkeyError::io(folder))?;
            }
        }
    }
    Ok(())
}

/// AUC of every trial, a row a cell.
fn trials(data: &str, results: &[&JobResult]) -> RowChart {
    let cells = ordered(results.iter().map(|result| result.cell.as_str()));
    let row = |cell: &str| {
        let of_cell = results.iter().filter(|result| result.cell == cell);
        let values = of_cell.filter_map(|result| result.metrics.auc).collect();
        ChartRow { name: cell.to_owned(), values }
    };
    RowChart {
        title: format!("AUC on {data}"),
        x_title: "AUC, one dot a trial".to_owned(),
        rows: cells.into_iter().map(row).collect(),
    }
}

/// A quantity over epochs, a line a cell: the mean over its trials. None where no cell has it.
fn curves(
    data: &str,
    title: &str,
    rows: &[&EpochRow],
    value: fn(&EpochRow) -> Option<f64>,
) -> Option<LineChart> {
    let line = |cell: &str| {
        let mut of_epoch: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.cell == cell) {
            if let Some(value) = value(row).filter(|value| value.is_finite()) {
                of_epoch.entry(row.epoch).or_default().push(value);
            }
        }
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let points = of_epoch.into_iter().map(|(epoch, values)| [epoch as f64, mean(values)]);
        Series { name: cell.to_owned(), points: points.collect() }
    };
    let cells = ordered(rows.iter().map(|row| row.cell.as_str()));
    let series: Vec<Series> =
        cells.into_iter().map(line).filter(|series| !series.points.is_empty()).collect();
    let drawn = !series.is_empty();
    drawn.then(|| LineChart::lines(&format!("{title}, {data}"), "epoch", title, series))
}

/// A name as part of a file name: characters that a file system might not take become `_`.
fn file_stem(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}
