//! A study's page: its question, a table a data set, every trial, and what happened while training.

use std::path::Path;

use offkey::{OffkeyError, files};
use offkey_report::page::{Measured, MetricRow, MetricTable, PageData, figure_tables, render};

use crate::{
    compare::{Difference, against_reference, base_of_others, change_from_base},
    file::StudyFile,
    pictures::{curves, metrics_of, trials},
    results::{EpochRow, JobResult, by_data, cells, spread, values},
};

/// Writes `report.html`, and the numbers behind its charts into `figures/`, from the results so far.
///
/// # Errors
/// [`OffkeyError`] when the folder cannot be written.
pub(crate) fn write(
    folder: &Path,
    study: &StudyFile,
    results: &[JobResult],
    epochs: &[EpochRow],
) -> Result<(), OffkeyError> {
    let page = page(study, results, epochs);
    for table in figure_tables(&page) {
        let path = folder.join("figures").join(format!("{}.csv", table.name));
        files::write_atomically(&path, table.csv.as_bytes())?;
    }
    Ok(files::write_atomically(&folder.join("report.html"), render(&page).as_bytes())?)
}

fn page(study: &StudyFile, results: &[JobResult], epochs: &[EpochRow]) -> PageData {
    let data = by_data(results);
    let trial_count = ordered_count(results);
    PageData {
        title: format!("Study: {}", study.name),
        subtitle: format!("{} results, up to {trial_count} trials of each cell", results.len()),
        summary: summary(study, &data),
        metrics: data.iter().map(|(data, results)| metric_table(study, data, results)).collect(),
        comparisons: trials(results).into_iter().map(|(_, chart)| chart).collect(),
        curves: curves(epochs).into_iter().map(|(_, chart)| chart).collect(),
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
fn summary(study: &StudyFile, data: &[(&str, Vec<&JobResult>)]) -> Vec<String> {
    let mut paragraphs = vec![study.question.clone()];
    for (data, results) in data {
        let auc = |cell: &str| spread(&values(results, cell, &|result| result.metrics.auc));
        let spreads: Vec<_> =
            cells(results).into_iter().filter_map(|cell| Some((cell, auc(cell)?))).collect();
        let most = spreads.iter().map(|(_, auc)| auc.trials).max().unwrap_or(0);
        let compared = spreads.into_iter().filter(|(_, auc)| auc.trials == most);
        let best = compared.max_by(|a, b| a.1.mean.total_cmp(&b.1.mean));
        let Some((cell, auc)) = best else { continue };
        let mean = auc.mean;
        paragraphs.push(if most > 1 {
            format!(
                "On {data} the highest mean AUC of cells with {most} trials is {mean:.3} \u{b1} {:.3}, of {cell}. Cells \
                 whose deviations overlap are not told apart by it; the differences below are taken trial by trial.",
                auc.deviation
            )
        } else {
            format!("On {data} the highest AUC is {mean:.3}, of {cell}: one trial each, which tells little apart.")
        });
    }
    paragraphs
}

fn metric_table(study: &StudyFile, data: &str, results: &[&JobResult]) -> MetricTable {
    let shown = metrics_of(results);
    let cells = cells(results);
    let changes: Vec<Option<Measured>> = cells
        .iter()
        .map(|cell| change_from_base(study, results, cell).as_ref().map(with_interval))
        .collect();
    let has_changes = changes.iter().any(Option::is_some);
    let row = |(cell, change): (&str, Option<Measured>)| {
        let mut row: Vec<Option<Measured>> = shown
            .iter()
            .map(|(_, _, of)| {
                let spread = spread(&values(results, cell, of))?;
                let deviation = (spread.trials > 1).then_some(spread.deviation);
                Some(Measured { value: spread.mean, interval: None, deviation })
            })
            .collect();
        row.push(against_reference(study, results, cell, "").as_ref().map(with_interval));
        row.extend(has_changes.then_some(change));
        MetricRow { label: cell.to_owned(), total: false, values: row }
    };
    let mut columns: Vec<String> = shown.iter().map(|(_, title, _)| (*title).to_owned()).collect();
    columns.push("AUC less reference".to_owned());
    columns.extend(has_changes.then(|| format!("more than with {}", base_of_others(study))));
    MetricTable {
        caption: format!("{data}: mean \u{b1} standard deviation over trials"),
        columns,
        rows: cells.into_iter().zip(changes).map(row).collect(),
    }
}

fn with_interval(difference: &Difference) -> Measured {
    Measured {
        value: difference.mean,
        interval: difference.interval.map(|interval| (interval.low, interval.high)),
        deviation: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_page_shows_every_cell_and_names_the_best() {
        let study = StudyFile::load("losses").expect("built in");
        let result = |cell: usize, trial: u64| {
            example::result(&study, cell, trial, 0.6 + 0.1 * cell as f64 + 0.01 * trial as f64)
        };
        let results: Vec<JobResult> = (0..2)
            .flat_map(|cell| (0..3).map(move |trial| (cell, trial)))
            .map(|(c, t)| result(c, t))
            .collect();
        let page = page(&study, &results, &[]);
        assert_eq!(page.metrics[0].rows.len(), 2);
        assert_eq!(page.comparisons[0].rows[1].values.len(), 3);
        let best = |results: &[JobResult]| summary(&study, &by_data(results))[1].clone();
        assert!(
            best(&results).contains("cells with 3 trials is 0.710 ± 0.010"),
            "{}",
            best(&results)
        );
        let confirmed = [results.clone(), vec![result(2, 0)]].concat();
        assert_eq!(best(&confirmed), best(&results), "one trial is compared with no three");
        assert!(best(&[result(2, 0)]).contains("0.800"), "{}", best(&[result(2, 0)]));
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
