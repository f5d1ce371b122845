//! Runs that were compared, as one page: what is ahead, a table of differences, every trial.

use offkey_report::{
    chart::{ChartRow, RowChart},
    page::{Measured, MetricRow, MetricTable, PageData, render},
};

use crate::runs::{ALL_MACHINES, ComparedRow, Comparison};

/// The page as HTML that needs nothing else.
pub fn comparison_page(comparison: &Comparison) -> String {
    let Comparison { reference, trials, interval, rows, left_out } = comparison;
    let runs: Vec<&[ComparedRow]> = rows.chunk_by(|a, b| a.run == b.run).collect();
    let mut summary: Vec<String> =
        runs.iter().filter_map(|rows| verdict(rows, reference)).collect();
    summary.push(format!("Interval: {interval}."));
    if !left_out.is_empty() {
        summary
            .push(format!("Trials that not every run has are left out: {}.", left_out.join(", ")));
    }
    render(&PageData {
        title: "Runs compared".to_owned(),
        subtitle: format!("against {reference}, {}", offkey_core::counted(*trials, "trial")),
        summary,
        metrics: runs.iter().map(|rows| table(rows, reference)).collect(),
        comparisons: runs.iter().filter_map(|rows| chart(rows, reference)).collect(),
        ..PageData::default()
    })
}

/// Whether a run is ahead over all machines, by the interval of its difference in AUC.
fn verdict(rows: &[ComparedRow], reference: &str) -> Option<String> {
    let row = rows.iter().find(|row| row.machine == ALL_MACHINES && row.metric == "AUC")?;
    let told = match (row.lower, row.upper) {
        (Some(lower), _) if lower > 0.0 => "is ahead of",
        (_, Some(upper)) if upper < 0.0 => "is behind",
        (Some(_), Some(_)) => "is not told apart from",
        _ => "has too few trials to be told apart from",
    };
    let interval = match (row.lower, row.upper) {
        (Some(lower), Some(upper)) => format!(", 95 % interval {lower:+.3} to {upper:+.3}"),
        _ => String::new(),
    };
    Some(format!(
        "{} {told} {reference}: AUC {:.3} for {:.3}, {:+.3}{interval}.",
        row.run, row.value, row.reference, row.difference
    ))
}

fn table(rows: &[ComparedRow], reference: &str) -> MetricTable {
    let value = |value| Some(Measured { value, interval: None, deviation: None });
    let row = |row: &ComparedRow| MetricRow {
        label: format!("{}, {}", row.machine, row.metric),
        total: row.machine == ALL_MACHINES,
        values: vec![
            value(row.reference),
            value(row.value),
            Some(Measured {
                value: row.difference,
                interval: row.lower.zip(row.upper),
                deviation: None,
            }),
        ],
    };
    MetricTable {
        caption: format!("{} less {reference}", rows[0].run),
        columns: vec![reference.to_owned(), rows[0].run.clone(), "difference".to_owned()],
        rows: rows.iter().map(row).collect(),
    }
}

/// The difference in AUC of every trial, a row per machine; none of one trial.
fn chart(rows: &[ComparedRow], reference: &str) -> Option<RowChart> {
    let rows: Vec<&ComparedRow> =
        rows.iter().filter(|row| row.metric == "AUC" && row.differences.len() > 1).collect();
    let row = |row: &&ComparedRow| ChartRow {
        name: row.machine.clone(),
        values: row.differences.clone(),
    };
    Some(RowChart {
        title: format!("AUC of {} less that of {reference}", rows.first()?.run),
        x_title: "difference in AUC, one dot a trial".to_owned(),
        rows: rows.iter().map(row).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(machine: &str, differences: &[f64], interval: Option<(f64, f64)>) -> ComparedRow {
        let mean = offkey_core::stats::mean(differences).expect("trials");
        ComparedRow {
            run: "small <b>".to_owned(),
            machine: machine.to_owned(),
            metric: "AUC",
            trials: differences.len(),
            reference: 0.75,
            value: 0.75 + mean,
            difference: mean,
            lower: interval.map(|interval| interval.0),
            upper: interval.map(|interval| interval.1),
            differences: differences.to_vec(),
        }
    }

    fn page(all: ComparedRow) -> String {
        comparison_page(&Comparison {
            reference: "default".to_owned(),
            trials: all.trials,
            left_out: vec!["seed_7".to_owned()],
            interval: "95 %, as a test says".to_owned(),
            rows: vec![all, row("fan", &[0.25, 0.125, 0.0], None)],
        })
    }

    #[test]
    fn the_verdict_follows_from_the_interval() {
        for (interval, expected) in [
            (Some((0.01, 0.2)), "is ahead of default: AUC 0.875 for 0.750, +0.125"),
            (Some((-0.2, -0.01)), "is behind default"),
            (Some((-0.1, 0.1)), "is not told apart from default"),
            (None, "has too few trials to be told apart from default"),
        ] {
            let page = page(row(ALL_MACHINES, &[0.25, 0.0, 0.125], interval));
            assert!(page.contains(&format!("small &#60;b&#62; {expected}")), "{expected}");
            assert!(page.contains("seed_7") && page.contains("as a test says"));
        }
    }

    #[test]
    fn every_trial_is_drawn_and_one_alone_is_none() {
        let several = page(row(ALL_MACHINES, &[0.25, 0.0, 0.125], None));
        assert!(several.contains("difference in AUC, one dot a trial"));
        let one = comparison_page(&Comparison {
            reference: "default".to_owned(),
            trials: 1,
            left_out: Vec::new(),
            interval: "none".to_owned(),
            rows: vec![row(ALL_MACHINES, &[0.25], None)],
        });
        assert!(!one.contains("one dot a trial") && one.contains("+0.250"));
    }
}
