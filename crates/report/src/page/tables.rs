//! Tables of metrics, with intervals.

use std::fmt::Write;

use askama::Template;
use offkey_eval::{Interval, Metrics, Note, OwnDomain, SectionMetrics};

use super::data::{Measured, MetricRow, MetricTable};
use crate::markup::Markup;

/// The tables of an evaluation: official metrics, own-domain metrics where there are domains, and
/// decisions where there were any. The families are never mixed.
pub fn metric_tables(metrics: &Metrics) -> Vec<MetricTable> {
    let mut tables = vec![official(metrics)];
    if metrics.per_section.iter().any(|row| own_domain_values(row).is_some()) {
        tables.push(own_domain(metrics));
    }
    if metrics.per_section.iter().any(|row| row.f1.is_some()) {
        tables.push(decisions(metrics));
    }
    tables
}

fn official(metrics: &Metrics) -> MetricTable {
    let caption = match metrics.year {
        Some(year) => format!("Metrics by the rules of DCASE {year}"),
        None => "Metrics by the rules of DCASE 2022 and later".to_owned(),
    };
    let reasons = metrics.notes.iter().filter(|note| !matches!(note, Note::NoInterval { .. }));
    let caption = reasons.fold(caption, |caption, note| format!("{caption}; {note}"));
    let section = |row: &SectionMetrics| {
        vec![
            measured(row.auc, row.auc_interval),
            measured(row.auc_source, row.auc_source_interval),
            measured(row.auc_target, row.auc_target_interval),
            measured(row.pauc, row.pauc_interval),
        ]
    };
    let mut rows = section_rows(metrics, section);
    let intervals = metrics.intervals.unwrap_or_default();
    let std = metrics.std.unwrap_or_default();
    let with = |value, interval, deviation| {
        measured(value, interval).map(|measured| Measured { deviation, ..measured })
    };
    rows.push(MetricRow {
        label: "mean".to_owned(),
        total: true,
        values: vec![
            with(metrics.auc, intervals.auc, std.auc),
            with(metrics.auc_source, intervals.auc_source, std.auc_source),
            with(metrics.auc_target, intervals.auc_target, std.auc_target),
            with(metrics.pauc, intervals.pauc, std.pauc),
        ],
    });
    let official = with(metrics.official_score, intervals.official_score, std.official_score);
    rows.push(MetricRow {
        label: "official score".to_owned(),
        total: true,
        values: vec![official, None, None, None],
    });
    let columns = ["AUC", "AUC source", "AUC target", "pAUC"].map(str::to_owned).to_vec();
    without_empty_columns(MetricTable { caption, columns, rows })
}

fn own_domain(metrics: &Metrics) -> MetricTable {
    let values = |own: &OwnDomain| -> Vec<Option<Measured>> {
        [
            own.auc_source,
            own.auc_target,
            own.auc_mixed,
            own.pauc_source,
            own.pauc_target,
            own.pauc_mixed,
        ]
        .map(|value| measured(value, None))
        .to_vec()
    };
    let empty = vec![None; 6];
    let mut rows =
        section_rows(metrics, |row| own_domain_values(row).map_or_else(|| empty.clone(), &values));
    if let Some(own) = &metrics.own_domain {
        rows.push(MetricRow { label: "mean".to_owned(), total: true, values: values(own) });
    }
    let columns =
        ["AUC source", "AUC target", "AUC both", "pAUC source", "pAUC target", "pAUC both"]
            .map(str::to_owned)
            .to_vec();
    let caption = "Own-domain metrics: normal and anomalous clips of the same domain".to_owned();
    without_empty_columns(MetricTable { caption, columns, rows })
}

fn own_domain_values(row: &SectionMetrics) -> Option<&OwnDomain> {
    row.own_domain.as_ref().filter(|own| own.auc_source.is_some() && own.auc_target.is_some())
}

fn decisions(metrics: &Metrics) -> MetricTable {
    let values = |row: &SectionMetrics| {
        [row.precision, row.recall, row.f1].map(|value| measured(value, None)).to_vec()
    };
    MetricTable {
        caption: "Decisions at the threshold, which is estimated on normal clips alone".to_owned(),
        columns: ["precision", "recall", "F1"].map(str::to_owned).to_vec(),
        rows: section_rows(metrics, values),
    }
}

fn section_rows(
    metrics: &Metrics,
    values: impl Fn(&SectionMetrics) -> Vec<Option<Measured>>,
) -> Vec<MetricRow> {
    let label = |row: &SectionMetrics| match row.domain {
        Some(domain) => format!("{} {} {domain}", row.machine, row.section),
        None => format!("{} {}", row.machine, row.section),
    };
    let rows = metrics.per_section.iter();
    rows.map(|row| MetricRow { label: label(row), total: false, values: values(row) }).collect()
}

fn measured(value: Option<f64>, interval: Option<Interval>) -> Option<Measured> {
    let interval = interval.map(|interval| (interval.low, interval.high));
    value.map(|value| Measured { value, interval, deviation: None })
}

fn without_empty_columns(table: MetricTable) -> MetricTable {
    let MetricTable { caption, columns, rows } = table;
    let is_used = |column: usize| rows.iter().any(|row| row.values[column].is_some());
    let used: Vec<usize> = (0..columns.len()).filter(|column| is_used(*column)).collect();
    let kept = |row: &MetricRow| used.iter().map(|&column| row.values[column]).collect();
    MetricTable {
        columns: used.iter().map(|&column| columns[column].clone()).collect(),
        rows: rows.iter().map(|row| MetricRow { values: kept(row), ..row.clone() }).collect(),
        caption,
    }
}

#[derive(Template)]
#[template(path = "metrics.html")]
struct AllTables<'a> {
    tables: &'a [MetricTable],
    has_intervals: bool,
    has_deviations: bool,
}

/// All tables, as HTML; nothing of none.
pub(crate) fn tables(tables: &[MetricTable]) -> Markup {
    if tables.is_empty() {
        return Markup::default();
    }
    let values = || tables.iter().flat_map(|table| &table.rows).flat_map(|row| &row.values);
    Markup::of(&AllTables {
        has_intervals: values().flatten().any(|value| value.interval.is_some()),
        has_deviations: values().flatten().any(|value| value.deviation.is_some()),
        tables,
    })
}

impl Measured {
    fn number(&self) -> String {
        format!("{:.3}", self.value).replace('-', "\u{2212}")
    }

    /// Deviation and interval, where there are any.
    fn around(&self) -> String {
        let mut around = String::new();
        if let Some(deviation) = self.deviation {
            let _ = write!(around, " \u{b1} {deviation:.3}");
        }
        if let Some((low, high)) = self.interval {
            let _ = write!(around, " [{low:.2}, {high:.2}]");
        }
        around.replace('-', "\u{2212}")
    }
}
