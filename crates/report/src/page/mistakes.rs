//! False alarms and misses, the worst first.

use offkey_core::{Condition, ScoreRow};

use super::{PageData, clips::anchor_of, data::SectionScores, embed::escape, summary::plural};

/// Rows listed per kind of mistake.
const MOST_ROWS: usize = 50;

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
    table(data, "false alarm", "Normal clips above the threshold.", false_alarms)
        + &table(data, "miss", "Anomalous clips below the threshold.", misses)
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

fn table(data: &PageData, noun: &str, meaning: &str, mistakes: Vec<Mistake>) -> String {
    let nouns = if noun == "miss" && mistakes.len() != 1 { "misse" } else { noun };
    let heading = match mistakes.len() {
        0 => format!("No {nouns}s"),
        count => plural(count, nouns),
    };
    let mut html = format!("<h3>{heading}</h3>");
    if mistakes.is_empty() {
        return html;
    }
    html += &format!("<p class=\"remark\">{meaning}");
    if mistakes.len() > MOST_ROWS {
        html += &format!(" The {MOST_ROWS} farthest from it are listed.");
    }
    let body: String = mistakes.iter().take(MOST_ROWS).map(|mistake| line(data, mistake)).collect();
    html + &format!(
        "</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{heading}\">\
         <table class=\"clips\"><thead><tr><th scope=\"col\">clip</th><th scope=\"col\">machine</th>\
         <th scope=\"col\">domain</th><th scope=\"col\">attributes</th><th scope=\"col\">score</th>\
         <th scope=\"col\">threshold</th></tr></thead><tbody>{body}</tbody></table></div>"
    )
}

fn line(data: &PageData, (section, row): &Mistake) -> String {
    let clip = &row.clip;
    let name = match anchor_of(&data.clips, clip) {
        Some(anchor) => format!("<a href=\"#{anchor}\">{}</a>", escape(&clip.name)),
        None => escape(&clip.name),
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
