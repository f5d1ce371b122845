//! How scores are spread: histograms, ROC curves, scores against conditions.

use std::collections::{BTreeMap, BTreeSet};

use offkey_core::{Condition, ScoreRow};
use offkey_eval::{auc, roc};

use super::{
    PageData,
    data::{Covariate, SectionScores},
    embed::escape,
    html::figure,
};
use crate::chart::{Chart, Histogram, LineChart, Series};

/// Machines shown unfolded.
const MOST_OPEN: usize = 4;
/// Most values of an attribute that scores are drawn against.
const MOST_VALUES: usize = 12;

/// Histograms of all sections and ROC curves, machine by machine.
pub(crate) fn scores(sections: &[SectionScores]) -> String {
    let mut machines: BTreeMap<&str, Vec<&SectionScores>> = BTreeMap::new();
    for section in sections.iter().filter(|section| !section.rows.is_empty()) {
        machines.entry(&section.machine).or_default().push(section);
    }
    let mut html = String::new();
    for (index, (machine, sections)) in machines.iter().enumerate() {
        let figures: String = sections
            .iter()
            .map(|section| histogram(section))
            .chain(roc_figure(machine, sections))
            .collect();
        let figures = format!("<div class=\"figures\">{figures}</div>");
        let open = if index < MOST_OPEN { " open" } else { "" };
        let name = escape(machine);
        html += &format!(
            "<details class=\"machine\"{open}><summary>{name}</summary>{figures}</details>"
        );
    }
    html
}

fn histogram(section: &SectionScores) -> String {
    let of = |condition| scores_of(&section.rows, condition);
    let chart = Histogram {
        title: format!("{} {}", section.machine, section.section),
        normal: of(Some(Condition::Normal)),
        anomalous: of(Some(Condition::Anomaly)),
        unlabelled: of(None),
        threshold: section.threshold,
    };
    figure(&format!("Scores of {}", chart.title), &chart.svg(), &chart.description())
}

fn scores_of(rows: &[ScoreRow], condition: Option<Condition>) -> Vec<f64> {
    let rows = rows.iter().filter(|row| row.clip.condition == condition && row.score.is_finite());
    rows.map(|row| row.score).collect()
}

fn roc_figure(machine: &str, sections: &[&SectionScores]) -> Option<String> {
    let curve = |section: &&SectionScores| {
        let normal = scores_of(&section.rows, Some(Condition::Normal));
        let anomalous = scores_of(&section.rows, Some(Condition::Anomaly));
        let area = auc(&normal, &anomalous)?;
        let points = roc(&normal, &anomalous).into_iter();
        Some(Series {
            name: format!("{}, AUC {area:.3}", section.section),
            points: points.map(|p| [p.false_positive_rate, p.true_positive_rate]).collect(),
        })
    };
    let series: Vec<Series> = sections.iter().filter_map(curve).collect();
    if series.is_empty() {
        return None;
    }
    let names: Vec<String> =
        series.iter().map(|series| format!("section {}", series.name)).collect();
    let chart = LineChart::roc(&format!("ROC of {machine}"), series);
    let remark =
        format!("{}. Grey: the part that the pAUC looks at; dotted: chance.", names.join("; "));
    Some(figure(&chart.title, &chart.svg(), &remark))
}

/// Scores against covariates and attributes.
pub(crate) fn conditions(data: &PageData) -> String {
    let against: String = data.covariates.iter().filter_map(|c| covariate(c, data)).collect();
    let attributes: String = data.sections.iter().filter_map(attribute_table).collect();
    let mut html = String::new();
    if !against.is_empty() {
        html += &format!("<div class=\"figures\">{against}</div>");
    }
    html + &attributes
}

fn covariate(covariate: &Covariate, data: &PageData) -> Option<String> {
    let mut scores = BTreeMap::new();
    for row in data.sections.iter().flat_map(|section| &section.rows) {
        let clip = &row.clip;
        scores.insert((clip.machine.as_str(), clip.section.as_str(), clip.name.as_str()), row);
    }
    let mut groups: [Vec<[f64; 2]>; 3] = Default::default();
    for (machine, section, name, value) in &covariate.values {
        let Some(row) = scores.get(&(machine.as_str(), section.as_str(), name.as_str())) else {
            continue;
        };
        let group = match row.clip.condition {
            Some(Condition::Normal) => 0,
            Some(Condition::Anomaly) => 1,
            None => 2,
        };
        groups[group].push([*value, row.score]);
    }
    let named = groups.into_iter().zip(["normal", "anomalous", "not labelled"]);
    let series: Vec<Series> = named
        .filter(|(points, _)| !points.is_empty())
        .map(|(points, name)| Series { name: name.to_owned(), points })
        .collect();
    if series.is_empty() {
        return None;
    }
    let axis = match covariate.unit.as_str() {
        "" => covariate.name.clone(),
        unit => format!("{} ({unit})", covariate.name),
    };
    let chart = LineChart::dots(
        &format!("Score against {}", covariate.name),
        &axis,
        "anomaly score",
        series,
        None,
    );
    Some(figure(&chart.title, &chart.svg(), &chart.description()))
}

/// Clips, mean score and alarms per attribute, where a section has a handful of them.
fn attribute_table(section: &SectionScores) -> Option<String> {
    let attributes: BTreeSet<&str> =
        section.rows.iter().map(|row| row.clip.attributes.as_str()).collect();
    if !(2..=MOST_VALUES).contains(&attributes.len()) {
        return None;
    }
    let row = |attribute: &&str| {
        let rows: Vec<&ScoreRow> =
            section.rows.iter().filter(|row| row.clip.attributes == **attribute).collect();
        let mean = |condition: Condition| {
            let of = rows.iter().filter(|row| row.clip.condition == Some(condition));
            let scores: Vec<f64> = of.map(|row| row.score).collect();
            match scores.len() {
                0 => "<td></td>".to_owned(),
                count => format!("<td>{:.3}</td>", scores.iter().sum::<f64>() / count as f64),
            }
        };
        let alarms = rows.iter().filter(|row| row.decision == Some(true)).count();
        let name = if attribute.is_empty() { "none" } else { attribute };
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td>{}{}<td>{alarms}</td></tr>",
            escape(name),
            rows.len(),
            mean(Condition::Normal),
            mean(Condition::Anomaly)
        )
    };
    let rows: String = attributes.iter().map(row).collect();
    let name = escape(&format!("{} {}", section.machine, section.section));
    Some(format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Scores by attribute, {name}\">\
         <table class=\"metrics\"><caption>Scores by attribute, {name}</caption><thead><tr>\
         <th scope=\"col\">attributes</th><th scope=\"col\">clips</th>\
         <th scope=\"col\">mean normal</th><th scope=\"col\">mean anomalous</th>\
         <th scope=\"col\">alarms</th></tr></thead><tbody>{rows}</tbody></table></div>"
    ))
}
