//! A study's page: its question, a table a data set, every trial, and what happened while training.

use std::{collections::BTreeMap, path::Path};

use offkey_core::table;
use offkey_report::{
    chart::{ChartRow, LineChart, RowChart, Series},
    page::{Measured, MetricRow, MetricTable, PageData, figure_tables, render},
};
use serde::Deserialize;

use super::{
    execute::JobResult,
    file::StudyFile,
    results::{difference, ordered, pairs, spread},
};
use crate::{OffkeyError, run_folder};

/// What a table shows of a result.
type Metric = (&'static str, fn(&JobResult) -> Option<f64>);

const METRICS: [Metric; 4] = [
    ("AUC", |result| result.metrics.auc),
    ("pAUC", |result| result.metrics.pauc),
    ("AUC source", |result| result.metrics.auc_source),
    ("AUC target", |result| result.metrics.auc_target),
];

/// What a curve shows of a row of `compactness.csv`.
type Quantity = (&'static str, &'static str, fn(&EpochRow) -> Option<f64>);

const QUANTITIES: [Quantity; 4] = [
    ("distance to the own centre", "mean squared distance", |row| row.train_intra),
    ("distance to other centres", "mean squared distance", |row| row.train_inter),
    ("distance to the own centre, held out", "mean squared distance", |row| row.held_out_intra),
    ("variance of the embeddings", "variance", |row| row.embedding_variance),
];

/// The columns of `compactness.csv` that are drawn.
#[derive(Debug, Deserialize)]
struct EpochRow {
    data: String,
    cell: String,
    epoch: usize,
    embedding_variance: Option<f64>,
    train_intra: Option<f64>,
    train_inter: Option<f64>,
    held_out_intra: Option<f64>,
}

/// Writes `report.html`, and the numbers behind its charts into `figures/`, from the results so far.
///
/// # Errors
/// [`OffkeyError`] when a table of the study cannot be read or the folder cannot be written.
pub(crate) fn write(
    folder: &Path,
    study: &StudyFile,
    results: &[JobResult],
) -> Result<(), OffkeyError> {
    let epochs: Vec<EpochRow> = match folder.join("compactness.csv") {
        path if path.is_file() => table::read_csv(&path)?,
        _ => Vec::new(),
    };
    let page = page(study, results, &epochs);
    for table in figure_tables(&page) {
        let path = folder.join("figures").join(format!("{}.csv", table.name));
        run_folder::write_atomically(&path, table.csv.as_bytes())?;
    }
    run_folder::write_atomically(&folder.join("report.html"), render(&page).as_bytes())
}

fn page(study: &StudyFile, results: &[JobResult], epochs: &[EpochRow]) -> PageData {
    let data = ordered(results.iter().map(|result| result.data.as_str()));
    let trials = ordered_count(results);
    PageData {
        title: format!("Study: {}", study.name),
        subtitle: format!("{} results, up to {trials} trials of each cell", results.len()),
        summary: summary(study, results, &data),
        metrics: data.iter().map(|data| metric_table(study, results, data)).collect(),
        comparisons: data.iter().flat_map(|data| comparisons(results, data)).collect(),
        curves: curves(epochs),
        recipe_toml: toml::to_string_pretty(study).expect("a study has string keys only"),
        ..PageData::default()
    }
}

fn ordered_count(results: &[JobResult]) -> usize {
    let mut trials: Vec<u64> = results.iter().map(|result| result.trial).collect();
    trials.sort_unstable();
    trials.dedup();
    trials.len()
}

/// The question, and for each data set the cell with the highest mean AUC among those with as many
/// trials as any: a confirming cell has fewer, and one trial says little.
fn summary(study: &StudyFile, results: &[JobResult], data: &[&str]) -> Vec<String> {
    let mut paragraphs = vec![study.question.clone()];
    for data in data {
        let of_data = of_data(results, data);
        let spreads: Vec<_> = cells(&of_data)
            .into_iter()
            .filter_map(|cell| Some((cell, spread(&values(&of_data, cell, METRICS[0].1))?)))
            .collect();
        let most = spreads.iter().map(|(_, auc)| auc.trials).max().unwrap_or(0);
        let compared = spreads.into_iter().filter(|(_, auc)| auc.trials == most);
        let best = compared.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
        let Some((cell, auc)) = best else { continue };
        let mean = 100.0 * auc.mean;
        paragraphs.push(if most > 1 {
            format!(
                "On {data} the highest mean AUC of cells with {most} trials is {mean:.1} \u{b1} {:.1} %, of {cell}. Cells \
                 whose deviations overlap are not told apart by it; the differences below are taken trial by trial.",
                100.0 * auc.deviation
            )
        } else {
            format!("On {data} the highest AUC is {mean:.1} %, of {cell}: one trial each, which tells little apart.")
        });
    }
    paragraphs
}

fn of_data<'a>(results: &'a [JobResult], data: &str) -> Vec<&'a JobResult> {
    results.iter().filter(|result| result.data == data).collect()
}

fn cells<'a>(results: &[&'a JobResult]) -> Vec<&'a str> {
    ordered(results.iter().map(|result| result.cell.as_str()))
}

fn values(results: &[&JobResult], cell: &str, of: fn(&JobResult) -> Option<f64>) -> Vec<f64> {
    results.iter().filter(|result| result.cell == cell).filter_map(|result| of(result)).collect()
}

/// The metrics a data set has; those by domain where it has two.
fn metrics_of(results: &[&JobResult]) -> Vec<&'static Metric> {
    let has_target = results.iter().any(|result| result.metrics.auc_target.is_some());
    let shown = if has_target { &METRICS[..] } else { &METRICS[..2] };
    shown.iter().filter(|metric| results.iter().any(|result| metric.1(result).is_some())).collect()
}

fn metric_table(study: &StudyFile, results: &[JobResult], data: &str) -> MetricTable {
    let results = of_data(results, data);
    let shown = metrics_of(&results);
    let row = |cell: &str| {
        let mut row: Vec<Option<Measured>> = shown
            .iter()
            .map(|metric| {
                let spread = spread(&values(&results, cell, metric.1))?;
                let deviation = (spread.trials > 1).then_some(spread.deviation);
                Some(Measured { value: spread.mean, interval: None, deviation })
            })
            .collect();
        row.push(against_reference(study, &results, cell));
        MetricRow { label: cell.to_owned(), total: false, values: row }
    };
    let mut columns: Vec<String> = shown.iter().map(|metric| metric.0.to_owned()).collect();
    columns.push("AUC less reference".to_owned());
    MetricTable {
        caption: format!("{data}: mean \u{b1} standard deviation over trials"),
        columns,
        rows: cells(&results).into_iter().map(row).collect(),
    }
}

/// AUC less that of the reference level, trial by trial.
fn against_reference(study: &StudyFile, results: &[&JobResult], cell: &str) -> Option<Measured> {
    let pairs = pairs(study, results, cell, &|metrics| metrics.auc);
    let difference = difference(&pairs.iter().map(|pair| pair.1).collect::<Vec<f64>>())?;
    let interval = Some((difference.lower, difference.upper));
    Some(Measured { value: difference.mean, interval, deviation: None })
}

fn comparisons(results: &[JobResult], data: &str) -> Vec<RowChart> {
    let results = of_data(results, data);
    let chart = |(name, of): &Metric| {
        let rows: Vec<ChartRow> = cells(&results)
            .into_iter()
            .map(|cell| ChartRow { name: cell.to_owned(), values: values(&results, cell, *of) })
            .filter(|row| !row.values.is_empty())
            .collect();
        (!rows.is_empty()).then(|| RowChart {
            title: format!("{name} on {data}"),
            x_title: (*name).to_owned(),
            rows,
        })
    };
    metrics_of(&results).into_iter().filter_map(chart).collect()
}

/// Quantities over epochs, a line a cell: the mean over its trials.
fn curves(epochs: &[EpochRow]) -> Vec<LineChart> {
    let mut charts = Vec::new();
    for data in ordered(epochs.iter().map(|row| row.data.as_str())) {
        let of_data: Vec<&EpochRow> = epochs.iter().filter(|row| row.data == data).collect();
        let cells = ordered(of_data.iter().map(|row| row.cell.as_str()));
        for (name, unit, of) in QUANTITIES {
            let line = |cell: &&str| {
                let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
                for epoch in of_data.iter().filter(|row| row.cell == *cell) {
                    if let Some(value) = of(epoch).filter(|value| value.is_finite()) {
                        let (sum, count) = sums.entry(epoch.epoch).or_default();
                        *sum += value;
                        *count += 1.0;
                    }
                }
                let points = sums.into_iter();
                let points = points.map(|(epoch, (sum, count))| [epoch as f64, sum / count]);
                Series { name: (*cell).to_owned(), points: points.collect() }
            };
            let series: Vec<Series> =
                cells.iter().map(line).filter(|series| !series.points.is_empty()).collect();
            if !series.is_empty() {
                charts.push(LineChart::lines(&format!("{data}: {name}"), "epoch", unit, series));
            }
        }
    }
    charts
}

#[cfg(test)]
mod tests {
    use offkey_core::{Clip, Condition, ScoreRow, Split};
    use offkey_eval::{Metrics, evaluate};

    use super::*;

    fn of_two_clips() -> Metrics {
        let row = |condition: Condition, score| ScoreRow {
            clip: Clip {
                path: condition.to_string().into(),
                group: condition.to_string(),
                name: condition.to_string(),
                machine: "fan".to_owned(),
                section: "00".to_owned(),
                domain: None,
                split: Split::Test,
                condition: Some(condition),
                attributes: String::new(),
            },
            score,
            decision: None,
        };
        let rows = [row(Condition::Normal, 0.1), row(Condition::Anomaly, 0.2)];
        evaluate(&rows, None).expect("two labelled clips")
    }

    #[test]
    fn the_page_shows_every_cell_and_names_the_best() {
        let study = StudyFile::load("losses").expect("built in");
        let cells = study.cells().expect("built in");
        let result = |cell: usize, trial: u64| JobResult {
            data: "synthetic".to_owned(),
            trial,
            cell: cells[cell].name.clone(),
            levels: cells[cell].levels.clone(),
            metrics: Metrics {
                auc: Some(0.6 + 0.1 * cell as f64 + 0.01 * trial as f64),
                ..of_two_clips()
            },
            train_seconds: None,
            train_cpu_seconds: None,
            clips_per_second: None,
            peak_memory_bytes: None,
            model: String::new(),
        };
        let results: Vec<JobResult> = (0..2)
            .flat_map(|cell| (0..3).map(move |trial| (cell, trial)))
            .map(|(c, t)| result(c, t))
            .collect();
        let page = page(&study, &results, &[]);
        assert_eq!(page.metrics[0].rows.len(), 2);
        assert_eq!(page.comparisons[0].rows[1].values.len(), 3);
        let best = |results: &[JobResult]| summary(&study, results, &["synthetic"])[1].clone();
        assert!(
            best(&results).contains("cells with 3 trials is 71.0 ± 1.0 %"),
            "{}",
            best(&results)
        );
        let confirmed = [results.clone(), vec![result(2, 0)]].concat();
        assert_eq!(best(&confirmed), best(&results), "one trial is compared with no three");
        assert!(best(&[result(2, 0)]).contains("80.0 %"), "{}", best(&[result(2, 0)]));
        let differences: Vec<Option<f64>> = page.metrics[0]
            .rows
            .iter()
            .map(|row| row.values.last().copied().flatten().map(|d| d.value))
            .collect();
        assert!(
            differences.iter().flatten().all(|d| (d.abs() - 0.1).abs() < 1e-12),
            "{differences:?}"
        );
        let html = render(&page);
        assert!(results.iter().all(|result| html.contains(&result.cell)));
    }
}
