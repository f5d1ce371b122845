//! False alarms and misses, the worst first.

use std::fmt::Write;

use offkey_core::{Condition, ScoreRow};

use super::{
    PageData,
    clips::anchor_of,
    data::SectionScores,
    embed::{breakable, escape},
    summary::plural,
};

/// Rows shown at once per kind of mistake.
const FIRST_ROWS: usize = 10;
/// Rows more that can be unfolded.
const MOST_ROWS: usize = 100;

/// Both tables; empty where no clip was decided and labelled.
pub(crate) fn mistakes(data: &PageData) -> String {
    let judged = |row: &ScoreRow| row.decision.is_some() && row.clip.condition.is_some();
    if !data.sections.iter().flat_map(|section| &section.rows).any(judged) {
        return String::new();
    }
    let false_alarms = rows(data, |row| {
        row.decision == Some(true) && row.clip.condition == Some(Condition::Normal)
    });
    let misses = rows(data, |row| {
        row.decision == Some(false) && row.clip.condition == Some(Condition::Anomaly)
    });
    table(data, "false alarm", "Normal clips above the threshold.", &false_alarms)
        + &table(data, "miss", "Anomalous clips below the threshold.", &misses)
}

type Mistake<'a> = (&'a SectionScores, &'a ScoreRow);

/// Rows of one kind, farthest from their threshold first.
fn rows(data: &PageData, is_mistake: impl Fn(&ScoreRow) -> bool) -> Vec<Mistake<'_>> {
    let all =
        data.sections.iter().flat_map(|section| section.rows.iter().map(move |row| (section, row)));
    let mut mistakes: Vec<Mistake> = all.filter(|(_, row)| is_mistake(row)).collect();
    let distance = |(section, row): &Mistake| {
        section.threshold.map_or(0.0, |threshold| (row.score - threshold).abs())
    };
    mistakes.sort_by(|a, b| distance(b).total_cmp(&distance(a)));
    mistakes
}

fn table(data: &PageData, noun: &str, meaning: &str, mistakes: &[Mistake]) -> String {
    let nouns = if noun == "miss" && mistakes.len() != 1 { "misse" } else { noun };
    let heading = match mistakes.len() {
        0 => return format!("<h3>No {nouns}s</h3>"),
        count => plural(count, nouns),
    };
    let lines: Vec<String> = mistakes.iter().map(|mistake| line(data, mistake)).collect();
    let (first, rest) = lines.split_at(lines.len().min(FIRST_ROWS));
    let (listed, unlisted) = rest.split_at(rest.len().min(MOST_ROWS));
    let mut html = format!(
        "<h3>{heading}</h3><p class=\"remark\">{meaning} Farthest from it first.</p>{}",
        rows_table(&heading, first)
    );
    if !listed.is_empty() {
        let more = format!("{} more", listed.len());
        let table = rows_table(&format!("{heading}, continued"), listed);
        let _ = write!(html, "<details><summary>{more}</summary>{table}</details>");
    }
    if !unlisted.is_empty() {
        let _ = write!(html, "<p class=\"remark\">{} are not listed here.</p>", unlisted.len());
    }
    html
}

fn rows_table(name: &str, lines: &[String]) -> String {
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\">\
         <table class=\"clips\"><thead><tr><th scope=\"col\">clip</th><th scope=\"col\">machine</th>\
         <th scope=\"col\">domain</th><th scope=\"col\">attributes</th><th scope=\"col\">score</th>\
         <th scope=\"col\">threshold</th></tr></thead><tbody>{}</tbody></table></div>",
        lines.concat()
    )
}

fn line(data: &PageData, (section, row): &Mistake) -> String {
    let clip = &row.clip;
    let name = match anchor_of(&data.clips, clip) {
        Some(anchor) => format!("<a href=\"#{anchor}\">{}</a>", breakable(&clip.name)),
        None => breakable(&clip.name),
    };
    format!(
        "<tr><th scope=\"row\">{name}</th><td>{} {}</td><td>{}</td><td>{}</td><td>{:.3}</td><td>{}</td></tr>",
        escape(&clip.machine),
        escape(&clip.section),
        clip.domain.map_or_else(String::new, |domain| domain.to_string()),
        escape(&clip.attributes),
        row.score,
        section.threshold.map_or_else(String::new, |threshold| format!("{threshold:.3}"))
    )
}
