//! Results of a study as Markdown: tables with error bars.

use std::fmt::Write;

use crate::{
    compare::{Difference, against_reference, base_of_others, change_from_base},
    file::StudyFile,
    results::{
        EpochRow, JobResult, Spread, auc, by_data, cells, machines, ordered, overlap, spread,
        values,
    },
};

/// For each data set, with cells as rows: a table of all metrics, one of how differences change, one
/// of the machines and one of the last epoch.
pub(crate) fn markdown(study: &StudyFile, results: &[JobResult], epochs: &[EpochRow]) -> String {
    let mut text = format!("# {}\n\n{}\n", study.name, study.question);
    for (data, of_data) in by_data(results) {
        let _ = write!(
            text,
            "\n## {data}\n\nFrom 0 to 1; mean ± standard deviation over trials. The difference is that of the AUC, trial by \
             trial, to the reference level, with {} over trials; two trials have none.\n\n\
             | cell | trials | AUC | difference | pAUC | AUC source | AUC target | train s | CPU s | peak MB |\n|{}\n",
            name_of_interval(overlap(&of_data)),
            " --- |".repeat(10)
        );
        let cells = cells(&of_data);
        for cell in &cells {
            text += &row(study, &of_data, cell);
        }
        text += &change_table(study, data, &of_data, &cells);
        text += &machine_table(study, data, &of_data, &cells);
        let of_data: Vec<&EpochRow> = epochs.iter().filter(|row| row.data == data).collect();
        text += &last_epoch_table(data, &of_data);
    }
    text
}

/// Which interval a difference over trials has.
fn name_of_interval(overlap: f64) -> &'static str {
    if overlap > 0.0 {
        "a 95 % interval by the corrected resampled t, since trials are splits that share clips,"
    } else {
        "Student's 95 % interval"
    }
}

fn row(study: &StudyFile, results: &[&JobResult], cell: &str) -> String {
    let of_cell: Vec<&JobResult> = results.iter().copied().filter(|r| r.cell == cell).collect();
    let metric =
        |value: fn(&JobResult) -> Option<f64>| mean_and_deviation(&values(&of_cell, cell, &value));
    let seconds = |value: fn(&JobResult) -> Option<f64>| {
        let mean = spread(&values(&of_cell, cell, &value)).map(|s| format!("{:.0}", s.mean));
        mean.unwrap_or_else(|| "-".to_owned())
    };
    let bytes = of_cell.iter().filter_map(|result| result.peak_memory_bytes).max();
    format!(
        "| {cell} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        of_cell.len(),
        metric(|r| r.metrics.auc),
        difference(study, results, cell, ""),
        metric(|r| r.metrics.pauc),
        metric(|r| r.metrics.auc_source),
        metric(|r| r.metrics.auc_target),
        seconds(|r| r.train_seconds),
        seconds(|r| r.train_cpu_seconds),
        bytes.map_or_else(|| "-".to_owned(), |bytes| (bytes / 1_000_000).to_string()),
    )
}

/// How differences change with the other factors; empty where there is one factor alone, or one
/// trial.
fn change_table(study: &StudyFile, data: &str, results: &[&JobResult], cells: &[&str]) -> String {
    let rows: Vec<(&str, Difference)> = cells
        .iter()
        .filter_map(|&cell| Some((cell, change_from_base(study, results, cell)?)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n### {data}, how the difference changes\n\nWhat the difference is more than with {}, trial by trial.\n\n\
         | cell | change |\n| --- | --- |\n",
        base_of_others(study)
    );
    for (cell, change) in rows {
        let _ = writeln!(text, "| {cell} | {} |", with_interval(&change));
    }
    text
}

/// AUC of each machine with its paired difference; empty where there is one machine alone.
fn machine_table(study: &StudyFile, data: &str, results: &[&JobResult], cells: &[&str]) -> String {
    let machines = machines(results);
    if machines.len() < 2 {
        return String::new();
    }
    let mut text = format!("\n### {data}, machine by machine\n\n| cell |");
    for machine in &machines {
        let _ = write!(text, " {machine} | difference |");
    }
    let _ = writeln!(text, "\n|{}", " --- |".repeat(1 + 2 * machines.len()));
    for cell in cells {
        let _ = write!(text, "| {cell} |");
        for machine in &machines {
            let own = mean_and_deviation(&values(results, cell, &|r| auc(&r.metrics, machine)));
            let other = difference(study, results, cell, machine);
            let _ = write!(text, " {own} | {other} |");
        }
        text.push('\n');
    }
    text
}

/// What the last epoch was like; empty where it was not measured.
fn last_epoch_table(data: &str, epochs: &[&EpochRow]) -> String {
    let last: Vec<&EpochRow> = epochs
        .iter()
        .copied()
        .filter(|row| {
            let is_later = |other: &&&EpochRow| {
                (&other.cell, other.trial) == (&row.cell, row.trial) && other.epoch > row.epoch
            };
            !epochs.iter().any(|other| is_later(&other))
        })
        .collect();
    if last.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n### {data}, the last epoch\n\nOf training clips: mean squared distance to the mean of the own class and to the nearest of \
         another, mean squared distance between the means of classes, variance of the embeddings, and in how many trials the \
         collapse alarm was raised.\n\n\
         | cell | trials | own class | nearest other | between classes | variance | collapsed |\n|{}\n",
        " --- |".repeat(7)
    );
    for cell in ordered(last.iter().map(|row| row.cell.as_str())) {
        let rows: Vec<&EpochRow> = last.iter().copied().filter(|row| row.cell == cell).collect();
        let column = |value: fn(&EpochRow) -> Option<f64>| {
            let values: Vec<f64> = rows.iter().filter_map(|row| value(row)).collect();
            let shown = spread(&values).map(|s| format!("{:.3} ± {:.3}", s.mean, s.deviation));
            shown.unwrap_or_else(|| "-".to_owned())
        };
        let _ = writeln!(
            text,
            "| {cell} | {} | {} | {} | {} | {} | {} |",
            rows.len(),
            column(|row| row.train_intra),
            column(|row| row.train_inter),
            column(|row| row.train_between),
            column(|row| Some(row.embedding_variance)),
            rows.iter().filter(|row| row.collapsed).count(),
        );
    }
    text
}

/// Mean and deviation; of a single trial the value alone.
fn mean_and_deviation(values: &[f64]) -> String {
    match spread(values) {
        None => "-".to_owned(),
        Some(Spread { mean, trials: 1, .. }) => format!("{mean:.3}"),
        Some(Spread { mean, deviation, .. }) => format!("{mean:.3} ± {deviation:.3}"),
    }
}

/// Difference in AUC, with its interval from three trials on; empty where there is none.
fn difference(study: &StudyFile, results: &[&JobResult], cell: &str, machine: &str) -> String {
    against_reference(study, results, cell, machine)
        .as_ref()
        .map_or_else(String::new, with_interval)
}

fn with_interval(d: &Difference) -> String {
    let interval = d.interval.map(|i| format!(" [{:+.3}, {:+.3}]", i.low, i.high));
    format!("{:+.3}{}", d.mean, interval.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_trial_has_no_deviation() {
        assert_eq!(mean_and_deviation(&[]), "-");
        assert_eq!(mean_and_deviation(&[0.9]), "0.900");
        assert_eq!(mean_and_deviation(&[0.8, 1.0]), "0.900 ± 0.141");
    }
}
