//! What happened, in plain words and a few numbers.

use std::fmt::Write;

use offkey_core::{Condition, ScoreRow};

use super::{PageData, embed::escape};

/// Counts of test clips by truth and decision.
#[derive(Default)]
struct Counts {
    clips: usize,
    alarms: usize,
    normal: usize,
    anomalous: usize,
    false_alarms: usize,
    misses: usize,
    decided: usize,
}

impl Counts {
    fn of<'a>(rows: impl Iterator<Item = &'a ScoreRow>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.clips += 1;
            counts.decided += usize::from(row.decision.is_some());
            counts.alarms += usize::from(row.decision == Some(true));
            match row.clip.condition {
                Some(Condition::Normal) => {
                    counts.normal += 1;
                    counts.false_alarms += usize::from(row.decision == Some(true));
                }
                Some(Condition::Anomaly) => {
                    counts.anomalous += 1;
                    counts.misses += usize::from(row.decision == Some(false));
                }
                None => {}
            }
        }
        counts
    }
}

/// The caller's paragraphs and the page's own figures.
pub(crate) fn summary(data: &PageData) -> String {
    let mut html = String::new();
    for paragraph in &data.summary {
        let _ = write!(html, "<p>{}</p>", escape(paragraph));
    }
    let facts = facts(data);
    if !facts.is_empty() {
        html.push_str("<dl class=\"facts\">");
        for (name, value, remark) in facts {
            let _ =
                write!(html, "<div><dt>{name}</dt><dd>{value}<small>{remark}</small></dd></div>");
        }
        html.push_str("</dl>");
    }
    html
}

/// Name, value and remark of the figures worth showing large.
fn facts(data: &PageData) -> Vec<(String, String, String)> {
    let mut facts = Vec::new();
    if let Some((name, measured)) = headline(data) {
        let interval = measured
            .interval
            .map_or_else(String::new, |(low, high)| format!("95 % interval {low:.2} to {high:.2}"));
        facts.push((escape(&name), format!("{:.3}", measured.value), interval));
    }
    let counts = Counts::of(data.sections.iter().flat_map(|section| &section.rows));
    if counts.clips == 0 {
        return facts;
    }
    let machines: std::collections::BTreeSet<_> =
        data.sections.iter().map(|section| &section.machine).collect();
    let among = format!(
        "{}, {}",
        plural(machines.len(), "machine"),
        plural(data.sections.len(), "section")
    );
    facts.push(("Clips scored".to_owned(), counts.clips.to_string(), among));
    if counts.decided > 0 {
        let share = format!("of {} decided", counts.decided);
        facts.push(("Alarms".to_owned(), counts.alarms.to_string(), share));
        if counts.normal > 0 {
            let share = format!("of {} normal clips", counts.normal);
            facts.push(("False alarms".to_owned(), counts.false_alarms.to_string(), share));
        }
        if counts.anomalous > 0 {
            let share = format!("of {} anomalous clips", counts.anomalous);
            facts.push(("Misses".to_owned(), counts.misses.to_string(), share));
        }
    }
    facts
}

/// The most summary number of the first table: its last summary row's first value.
fn headline(data: &PageData) -> Option<(String, super::Measured)> {
    let table = data.metrics.first()?;
    let row = table.rows.iter().rev().find(|row| row.total)?;
    let column = row.values.iter().position(Option::is_some)?;
    let measured = row.values[column]?;
    let mut name = row.label.clone();
    if row.values.iter().flatten().count() > 1 {
        let _ = write!(name, " {}", table.columns.get(column)?);
    }
    let mut letters = name.chars();
    let capital = letters.next().map(|first| first.to_uppercase().chain(letters).collect())?;
    Some((capital, measured))
}

pub(crate) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
