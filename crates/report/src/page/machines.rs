//! One row per machine: how well faults are detected, against the best baseline, and at the threshold.

use std::collections::BTreeSet;

use askama::Template;
use offkey_eval::{Compared, Estimate};

use super::{
    PageData,
    counts::{Counts, Key, Outcome},
    verdict::{Side, Standing, side_of_baseline, side_of_chance},
    words::range,
};
use crate::markup::Markup;

#[derive(Template)]
#[template(path = "machines.html")]
struct Table {
    rows: Vec<Row>,
    /// The baseline that all rows are compared with.
    baseline: Option<String>,
    has_auc: bool,
    has_decisions: bool,
    /// Where chance stands on the scale, in per cent.
    chance: String,
}

struct Row {
    machine: String,
    standing: Key,
    remark: &'static str,
    auc: Option<Auc>,
    found: String,
    false_alarms: String,
}

/// An AUC in words and on the scale of the table, in per cent.
struct Auc {
    value: String,
    range: String,
    at: String,
    low: String,
    width: String,
    baseline: Option<(String, String)>,
}

/// The table; empty where the page shows no test of a model.
pub(crate) fn machines(data: &PageData) -> Markup {
    let of_sections = data.sections.iter().filter(|section| !section.rows.is_empty());
    let mut names: BTreeSet<&str> = of_sections.map(|section| section.machine.as_str()).collect();
    let compared = data.comparison.iter().flat_map(|comparison| &comparison.machines);
    names.extend(compared.map(|compared| compared.machine.as_str()));
    if names.is_empty() {
        return Markup::default();
    }
    let best = data.comparison.as_ref().and_then(|all| all.all.best_baseline());
    let baseline = best.map(|lead| lead.name.clone());
    let low = lowest(data);
    let row = |name: &str| row(data, name, baseline.as_deref(), low);
    let rows: Vec<Row> = names.into_iter().map(row).collect();
    Markup::of(&Table {
        has_auc: rows.iter().any(|row| row.auc.is_some()),
        has_decisions: rows.iter().any(|row| !row.found.is_empty()),
        rows,
        baseline,
        chance: percent(0.5, low),
    })
}

/// Low end of the scale of AUC: 0.4, or lower where something lies there.
fn lowest(data: &PageData) -> f64 {
    let machines = data.comparison.iter().flat_map(|comparison| &comparison.machines);
    let values = machines.flat_map(|compared| {
        let low = compared.auc.interval.map_or(compared.auc.value, |interval| interval.low);
        compared.baselines.iter().map(|lead| lead.auc).chain([low])
    });
    values.fold(0.4, |low: f64, value| low.min((value * 10.0).floor() / 10.0)).max(0.0)
}

fn percent(value: f64, low: f64) -> String {
    format!("{:.2}", 100.0 * (value - low) / (1.0 - low))
}

fn row(data: &PageData, name: &str, baseline: Option<&str>, low: f64) -> Row {
    let mut machines = data.comparison.iter().flat_map(|comparison| &comparison.machines);
    let compared = machines.find(|compared| compared.machine == name);
    let sections = data.sections.iter().filter(|section| section.machine == name);
    let counts = Counts::of(sections.flat_map(|section| &section.rows));
    let lead =
        compared.and_then(|c| c.baselines.iter().find(|lead| Some(lead.name.as_str()) == baseline));
    let (standing, remark) = standing(compared, lead.map(side_of_baseline));
    let share = |outcome, of: usize| match of {
        0 => String::new(),
        of => format!("{} of {of}", counts.get(outcome)),
    };
    Row {
        machine: name.to_owned(),
        standing: standing.key(),
        remark,
        auc: compared.map(|compared| Auc {
            value: format!("{:.3}", compared.auc.value),
            range: range(&compared.auc),
            at: percent(compared.auc.value, low),
            low: ends(&compared.auc, low).0,
            width: ends(&compared.auc, low).1,
            baseline: lead.map(|lead| (format!("{:.3}", lead.auc), percent(lead.auc, low))),
        }),
        found: share(Outcome::Found, counts.anomalous()),
        false_alarms: share(Outcome::FalseAlarm, counts.normal()),
    }
}

/// Low end and width of an interval on the scale.
fn ends(auc: &Estimate, low: f64) -> (String, String) {
    let interval =
        auc.interval.unwrap_or(offkey_eval::Interval { low: auc.value, high: auc.value });
    let width = 100.0 * (interval.high - interval.low) / (1.0 - low);
    (percent(interval.low, low), format!("{width:.2}"))
}

fn standing(compared: Option<&Compared>, baseline: Option<Side>) -> (Standing, &'static str) {
    let Some(compared) = compared else { return (Standing::Unknown, "no labelled test") };
    match (side_of_chance(compared), baseline) {
        (Side::Unknown, _) => (Standing::Unknown, "too few recordings to tell"),
        (Side::Around, _) => (Standing::Bad, "may be chance"),
        (Side::Below, _) => (Standing::Bad, "faults score lower than normal"),
        (Side::Above, Some(Side::Above)) => (Standing::Good, "better than the baseline"),
        (Side::Above, Some(Side::Below)) => (Standing::Mixed, "detects; the baseline is better"),
        (Side::Above, Some(Side::Around | Side::Unknown)) => {
            (Standing::Mixed, "detects; no clear difference to the baseline")
        }
        (Side::Above, None) => (Standing::Good, "detects faults"),
    }
}
