//! How scores are spread: histograms, ROC curves, scores against conditions.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use offkey_core::{Condition, ScoreRow};
use offkey_eval::{auc, roc};

use super::{
    PageData,
    data::{Covariate, SectionScores},
    figure::figures,
};
use crate::{
    chart::{Chart, Histogram, LineChart, Series},
    markup::Markup,
};

#[derive(Template)]
#[template(path = "scores.html")]
struct Scores<'a> {
    machines: Vec<(&'a str, Markup)>,
    is_open: bool,
}

#[derive(Template)]
#[template(path = "conditions.html")]
struct Conditions {
    figures: Markup,
    attributes: Vec<AttributeRow>,
}

/// Scores of the clips of one section that share their attributes.
struct AttributeRow {
    section: String,
    attributes: String,
    clips: usize,
    normal: String,
    anomalous: String,
    alarms: usize,
}

/// Up to so many machines are shown unfolded.
const MOST_OPEN: usize = 1;
/// Most values of an attribute that scores are drawn against.
const MOST_VALUES: usize = 12;

/// Histograms of all sections and ROC curves, machine by machine.
pub(crate) fn scores(sections: &[SectionScores]) -> Markup {
    let machines = by_machine(sections);
    let is_open = machines.len() <= MOST_OPEN;
    let machines: Vec<(&str, Markup)> = machines
        .iter()
        .map(|(machine, sections)| {
            let histograms = sections.iter().map(|section| histogram_figure(section));
            let charts: Vec<_> = histograms.chain(roc_figure(machine, sections)).collect();
            (*machine, figures(&charts))
        })
        .collect();
    if machines.is_empty() {
        return Markup::default();
    }
    Markup::of(&Scores { machines, is_open })
}

/// Charts of scores with a name each, for files.
pub(crate) fn score_charts(sections: &[SectionScores]) -> Vec<(String, Box<dyn Chart>)> {
    let mut charts: Vec<(String, Box<dyn Chart>)> = Vec::new();
    for (machine, sections) in by_machine(sections) {
        for section in &sections {
            let name = format!("histogram {machine} {}", section.section);
            charts.push((name, Box::new(histogram(section))));
        }
        if let Some(chart) = roc_chart(machine, &sections) {
            charts.push((format!("roc {machine}"), Box::new(chart)));
        }
    }
    charts
}

/// Sections that have scores, machine by machine.
fn by_machine(sections: &[SectionScores]) -> BTreeMap<&str, Vec<&SectionScores>> {
    let mut machines: BTreeMap<&str, Vec<&SectionScores>> = BTreeMap::new();
    for section in sections.iter().filter(|section| !section.rows.is_empty()) {
        machines.entry(&section.machine).or_default().push(section);
    }
    machines
}

fn histogram(section: &SectionScores) -> Histogram {
    let of = |condition| scores_of(&section.rows, condition);
    Histogram {
        title: format!("{} {}", section.machine, section.section),
        normal: of(Some(Condition::Normal)),
        anomalous: of(Some(Condition::Anomaly)),
        unlabelled: of(None),
        threshold: section.threshold,
    }
}

/// Caption, chart and remark.
type Captioned = (String, Box<dyn Chart>, String);

fn histogram_figure(section: &SectionScores) -> Captioned {
    let chart = histogram(section);
    (format!("Scores of {}", chart.title), Box::new(chart.clone()), chart.above_threshold())
}

fn scores_of(rows: &[ScoreRow], condition: Option<Condition>) -> Vec<f64> {
    let rows = rows.iter().filter(|row| row.clip.condition == condition && row.score.is_finite());
    rows.map(|row| row.score).collect()
}

fn roc_figure(machine: &str, sections: &[&SectionScores]) -> Option<Captioned> {
    let chart = roc_chart(machine, sections)?;
    let remark = "Grey: the part that the pAUC covers. Dotted: chance.";
    Some((chart.title.clone(), Box::new(chart), remark.to_owned()))
}

fn roc_chart(machine: &str, sections: &[&SectionScores]) -> Option<LineChart> {
    let curve = |section: &&SectionScores| {
        let normal = scores_of(&section.rows, Some(Condition::Normal));
        let anomalous = scores_of(&section.rows, Some(Condition::Anomaly));
        let area = auc(&normal, &anomalous)?;
        let points = roc(&normal, &anomalous).into_iter();
        Some(Series {
            name: format!("section {}, AUC {area:.3}", section.section),
            points: points.map(|p| [p.false_positive_rate, p.true_positive_rate]).collect(),
        })
    };
    let series: Vec<Series> = sections.iter().filter_map(curve).collect();
    (!series.is_empty()).then(|| LineChart::roc(&format!("ROC of {machine}"), series))
}

/// Scores against covariates and attributes.
pub(crate) fn conditions(data: &PageData) -> Markup {
    let charts = data.covariates.iter().filter_map(|covariate| covariate_chart(covariate, data));
    let charts = charts.map(|chart| (chart.title.clone(), chart, String::new()));
    let figures = figures(&charts.collect::<Vec<_>>());
    let attributes: Vec<AttributeRow> = data.sections.iter().flat_map(attribute_rows).collect();
    if figures.is_empty() && attributes.is_empty() {
        return Markup::default();
    }
    Markup::of(&Conditions { figures, attributes })
}

/// Scores of all clips that a covariate knows, drawn against it.
pub(crate) fn covariate_chart(covariate: &Covariate, data: &PageData) -> Option<LineChart> {
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
    let title = format!("Score against {}", covariate.name);
    Some(LineChart::dots(&title, &axis, "anomaly score", series, None))
}

/// Clips, mean scores and alarms per section and attribute, for sections with a handful of them.
fn attribute_rows(section: &SectionScores) -> Vec<AttributeRow> {
    let attributes: BTreeSet<&str> =
        section.rows.iter().map(|row| row.clip.attributes.as_str()).collect();
    if !(2..=MOST_VALUES).contains(&attributes.len()) {
        return Vec::new();
    }
    let row = |attribute: &str| {
        let rows: Vec<&ScoreRow> =
            section.rows.iter().filter(|row| row.clip.attributes == attribute).collect();
        let mean = |condition: Condition| {
            let of = rows.iter().filter(|row| row.clip.condition == Some(condition));
            let scores: Vec<f64> = of.map(|row| row.score).collect();
            match scores.len() {
                0 => String::new(),
                count => format!("{:.3}", scores.iter().sum::<f64>() / count as f64),
            }
        };
        let alarms = rows.iter().filter(|row| row.decision == Some(true)).count();
        AttributeRow {
            section: format!("{} {}", section.machine, section.section),
            attributes: if attribute.is_empty() { "none" } else { attribute }.to_owned(),
            clips: rows.len(),
            normal: mean(Condition::Normal),
            anomalous: mean(Condition::Anomaly),
            alarms,
        }
    };
    attributes.into_iter().map(row).collect()
}
