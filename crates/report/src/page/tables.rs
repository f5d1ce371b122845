//! Tables of metrics, with intervals.

use std::fmt::Write;

use offkey_eval::{Interval, Metrics, Note, OwnDomain, SectionMetrics};

use super::{
    data::{Measured, MetricRow, MetricTable},
    embed::escape,
};

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
    rows.push(MetricRow {
        label: "mean".to_owned(),
        total: true,
        values: vec![
            measured(metrics.auc, intervals.auc),
            measured(metrics.auc_source, intervals.auc_source),
            measured(metrics.auc_target, intervals.auc_target),
            measured(metrics.pauc, intervals.pauc),
        ],
    });
    rows.push(MetricRow {
        label: "official score".to_owned(),
        total: true,
        values: vec![measured(metrics.official_score, intervals.official_score), None, None, None],
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

/// All tables, as HTML.
pub(crate) fn tables(tables: &[MetricTable]) -> String {
    let has_interval = |table: &MetricTable| {
        table.rows.iter().flat_map(|row| &row.values).flatten().any(|v| v.interval.is_some())
    };
    let remark = if tables.iter().any(has_interval) {
        "<p>Larger is better; 0.5 is chance for every AUC. In brackets: 95 % intervals.</p>"
    } else {
        ""
    };
    tables.iter().fold(remark.to_owned(), |html, of| html + &table(of))
}

fn table(table: &MetricTable) -> String {
    let caption = escape(&table.caption);
    let mut html = format!(
        "<h3>{caption}</h3>\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\
         <table class=\"metrics\" aria-label=\"{caption}\"><thead><tr><td></td>"
    );
    for column in &table.columns {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(column));
    }
    html.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        let class = if row.total { " class=\"total\"" } else { "" };
        let _ = write!(html, "<tr{class}><th scope=\"row\">{}</th>", escape(&row.label));
        for value in &row.values {
            let _ = write!(html, "<td>{}</td>", value.map_or_else(String::new, cell));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn cell(Measured { value, interval, deviation }: Measured) -> String {
    let mut cell = format!("{value:.3}");
    if let Some(deviation) = deviation {
        let _ = write!(cell, " <span class=\"interval\">\u{b1} {deviation:.3}</span>");
    }
    if let Some((low, high)) = interval {
        let _ = write!(cell, " <span class=\"interval\">[{low:.2}, {high:.2}]</span>");
    }
    cell
}
