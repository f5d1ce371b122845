//! Results as text tables, for people.

use offkey::{Metrics, RunMetrics, printable};

/// Widest that a column is made; longer cells stand out.
const WIDEST: usize = 200;

/// Columns of text, the first left-aligned, the others right-aligned. What names hold of control
/// characters is shown by escapes.
pub(crate) fn render(header: &[&str], rows: &[Vec<String>]) -> String {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| printable(cell).chars().count());
        widths.chain([header[column].chars().count()]).max().unwrap_or(0).min(WIDEST)
    };
    let widths: Vec<usize> = (0..header.len()).map(width_of).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (column, cell) in cells.enumerate() {
            let cell = printable(cell);
            let width = widths[column];
            text +=
                &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text.trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// A rate from 0 to 1, or a dash.
pub(crate) fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

/// Metrics by section, then the summary; rates from 0 to 1.
pub(crate) fn metrics(metrics: &Metrics) -> String {
    let mut rows: Vec<Vec<String>> = metrics
        .per_section
        .iter()
        .map(|row| {
            let domain = row.domain.map(|domain| format!(" {domain}")).unwrap_or_default();
            vec![
                format!("{} {}{domain}", row.machine, row.section),
                rate(row.auc),
                rate(row.pauc),
                rate(row.auc_source),
                rate(row.auc_target),
                rate(row.precision),
                rate(row.recall),
                rate(row.f1),
                row.normal.to_string(),
                row.anomalous.to_string(),
            ]
        })
        .collect();
    rows.push(vec![
        "mean".to_owned(),
        rate(metrics.auc),
        rate(metrics.pauc),
        rate(metrics.auc_source),
        rate(metrics.auc_target),
    ]);
    let header = [
        "machine, section",
        "AUC",
        "pAUC",
        "AUC source",
        "AUC target",
        "precision",
        "recall",
        "F1",
        "normal",
        "anomalous",
    ];
    let mut text = render(&header, &rows);
    let year = metrics.year.map(|year| format!(", rules of {year}")).unwrap_or_default();
    text += &format!("\nofficial score{year}: {}\n", rate(metrics.official_score));
    for note in &metrics.notes {
        text += &format!("note: {note}\n");
    }
    if let (Some(mean), Some(std)) = (&metrics.mean, &metrics.std) {
        text += &format!(
            "over {} seeds: AUC {} (deviation {}), pAUC {} ({}), official score {} ({})\n",
            metrics.seeds.len(),
            rate(mean.auc),
            rate(std.auc),
            rate(mean.pauc),
            rate(std.pauc),
            rate(mean.official_score),
            rate(std.official_score),
        );
    }
    text
}

/// Metrics of a run with what they cost.
pub(crate) fn run_metrics(run: &RunMetrics) -> String {
    let mut text = metrics(&run.metrics);
    text += &baselines(run);
    let mut costs = Vec::new();
    if let Some(seconds) = run.train_seconds {
        costs.push(format!("training {seconds:.1} s"));
    }
    if let Some(speed) = run.clips_per_second {
        costs.push(format!("{speed:.1} clips/s"));
    }
    if let Some(bytes) = run.peak_memory_bytes {
        costs.push(format!("peak memory {:.0} MB", bytes as f64 / 1e6));
    }
    if !costs.is_empty() {
        text += &format!("cost: {}\n", costs.join(", "));
    }
    text
}

/// What plain statistics reach on the same clips, and whether the model does better.
fn baselines(run: &RunMetrics) -> String {
    let mut text = String::new();
    for baseline in &run.baselines {
        text += &format!(
            "baseline {}: AUC {}, pAUC {}, official score {}\n",
            baseline.name,
            rate(baseline.auc),
            rate(baseline.pauc),
            rate(baseline.official_score)
        );
    }
    if let Some(best) = run.unbeaten() {
        text += &format!(
            "the model does not beat {}, which needs no training: AUC {} against {}\n",
            best.name,
            rate(run.metrics.auc),
            rate(best.auc)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_missing_cells_stay_empty() {
        let rows = [vec!["a".to_owned(), "1.0".to_owned()], vec!["longer".to_owned()]];
        assert_eq!(render(&["name", "AUC"], &rows), "name    AUC\na       1.0\nlonger\n");
    }

    #[test]
    fn a_cell_of_any_length_and_content_is_safe() {
        let rows = [vec!["x".repeat(70_000), "\u{1b}[2J".to_owned()], vec!["a\nb".to_owned()]];
        let text = render(&["name", "AUC"], &rows);
        assert!(text.contains("\\u{1b}[2J") && text.contains("a\\nb"), "{}", &text[..80]);
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn a_missing_rate_is_a_dash() {
        assert_eq!((rate(Some(0.9014)), rate(None)), ("0.901".to_owned(), "-".to_owned()));
    }
}
