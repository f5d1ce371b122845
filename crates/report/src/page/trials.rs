//! The page of several seeds: a row per seed with a link to its page, and mean and deviation.

use askama::Template;
use offkey_core::stats;

use super::data::TrialRow;
use crate::markup::Markup;

#[derive(Template)]
#[template(path = "trials.html")]
struct Table<'a> {
    rows: Vec<(&'a TrialRow, [String; 4])>,
    mean: [String; 4],
}

type Column = fn(&TrialRow) -> Option<f64>;

/// AUC, best baseline, partial AUC, official score.
const COLUMNS: [Column; 4] =
    [|row| row.auc, |row| row.baseline, |row| row.pauc, |row| row.official_score];

/// The table; empty without trials.
pub(crate) fn trials(rows: &[TrialRow]) -> Markup {
    if rows.is_empty() {
        return Markup::default();
    }
    let missing = || "\u{2013}".to_owned();
    let number = |value: Option<f64>| value.map_or_else(missing, |value| format!("{value:.3}"));
    let spread = |of: Column| {
        let values: Option<Vec<f64>> = rows.iter().map(of).collect();
        let Some(mean) = values.as_deref().and_then(stats::mean) else { return missing() };
        match values.as_deref().and_then(stats::deviation) {
            Some(deviation) => format!("{mean:.3} \u{b1} {deviation:.3}"),
            None => format!("{mean:.3}"),
        }
    };
    Markup::of(&Table {
        rows: rows.iter().map(|row| (row, COLUMNS.map(|of| number(of(row))))).collect(),
        mean: COLUMNS.map(spread),
    })
}
