//! All scores on one scale, with a threshold that can be moved.

use std::fmt::Write;

use askama::Template;
use offkey_core::Condition;
use serde::Serialize;

use super::{
    PageData,
    counts::{Counts, Outcome},
    data::SectionScores,
    relative::{RelativeAxis, Scale},
    words::plural,
};
use crate::markup::{Markup, script_json};

/// Steps of the slider.
const STEPS: f64 = 1000.0;

#[derive(Template)]
#[template(path = "threshold.html")]
struct Tuner {
    strips: Vec<Strip>,
    ticks: Vec<(String, String)>,
    /// Place of the threshold, in steps of the slider and in per cent.
    step: String,
    at: String,
    counts: Counts,
    is_judged: bool,
    precision: String,
    recall: String,
    clip_s: String,
    data: Markup,
}

/// One section's clips as strokes, anomalous ones above, normal ones below.
struct Strip {
    name: String,
    anomalous: String,
    normal: String,
    unlabelled: String,
    description: String,
}

/// What the script needs of the clips, one entry per clip and array.
#[derive(Serialize)]
struct Clips<'a> {
    low: f64,
    high: f64,
    sections: Vec<String>,
    machines: Vec<&'a str>,
    /// Machine of each section.
    of: Vec<usize>,
    names: Vec<&'a str>,
    section: Vec<usize>,
    relative: Vec<f64>,
    /// 0 normal, 1 anomalous, 2 without label.
    kind: Vec<u8>,
    clip_s: Option<f64>,
}

/// Strips and slider; empty where no section has a threshold.
pub(crate) fn threshold(data: &PageData) -> Markup {
    let scaled: Vec<(&SectionScores, Scale)> = data
        .sections
        .iter()
        .filter(|section| section.threshold.is_some() && !section.rows.is_empty())
        .filter_map(|section| Some((section, Scale::of(section)?)))
        .collect();
    if scaled.is_empty() {
        return Markup::default();
    }
    let relative = scaled
        .iter()
        .flat_map(|(section, scale)| section.rows.iter().map(|row| scale.relative(row.score)));
    let axis = RelativeAxis::around(relative);
    let counts = Counts::of(scaled.iter().flat_map(|(section, _)| &section.rows));
    let found = counts.get(Outcome::Found);
    let alarms = found + counts.get(Outcome::FalseAlarm);
    let several = data.sections.iter().any(|section| {
        data.sections.iter().filter(|other| other.machine == section.machine).count() > 1
    });
    Markup::of(&Tuner {
        strips: scaled
            .iter()
            .map(|(section, scale)| strip(section, scale, axis, several))
            .collect(),
        ticks: axis
            .ticks()
            .into_iter()
            .map(|(value, share)| {
                (value.to_string().replace('-', "\u{2212}"), format!("{:.2}", 100.0 * share))
            })
            .collect(),
        step: format!("{:.0}", STEPS * axis.share(1.0)),
        at: format!("{:.3}", 100.0 * axis.share(1.0)),
        is_judged: counts.is_judged(),
        precision: share(found, alarms),
        recall: share(found, counts.anomalous()),
        counts,
        clip_s: data.clip_s.map_or_else(String::new, |seconds| format!("{seconds:.0}")),
        data: Markup(script_json(&clips(data, &scaled, axis))),
    })
}

fn share(part: usize, of: usize) -> String {
    match of {
        0 => "\u{2013}".to_owned(),
        of => format!("{:.2}", part as f64 / of as f64),
    }
}

fn strip(section: &SectionScores, scale: &Scale, axis: RelativeAxis, several: bool) -> Strip {
    let strokes = |condition: Option<Condition>, top: &str| {
        let mut path = String::new();
        let rows = section.rows.iter().filter(|row| row.clip.condition == condition);
        for row in rows.filter(|row| row.score.is_finite()) {
            let x = 1000.0 * axis.share(scale.relative(row.score));
            let _ = write!(path, "M{x:.1} {top}v16");
        }
        path
    };
    let name = if several {
        format!("{} {}", section.machine, section.section)
    } else {
        section.machine.clone()
    };
    let counts = Counts::of(section.rows.iter());
    let parts: Vec<String> = Outcome::ALL
        .into_iter()
        .filter(|outcome| counts.get(*outcome) > 0)
        .map(|outcome| format!("{} {}", counts.get(outcome), outcome.plural().to_lowercase()))
        .collect();
    Strip {
        anomalous: strokes(Some(Condition::Anomaly), "1"),
        normal: strokes(Some(Condition::Normal), "19"),
        unlabelled: strokes(None, "10"),
        description: format!(
            "Scores of {}, relative to the threshold: {}.",
            plural(section.rows.len(), "clip"),
            parts.join(", ")
        ),
        name,
    }
}

fn clips<'a>(
    data: &PageData,
    scaled: &[(&'a SectionScores, Scale)],
    axis: RelativeAxis,
) -> Clips<'a> {
    let mut machines: Vec<&str> = Vec::new();
    let of = scaled.iter().map(|(section, _)| {
        let known = machines.iter().position(|name| *name == section.machine);
        known.unwrap_or_else(|| {
            machines.push(&section.machine);
            machines.len() - 1
        })
    });
    let of = of.collect();
    let rows = || {
        scaled.iter().enumerate().flat_map(|(index, (section, scale))| {
            section.rows.iter().map(move |row| (index, scale, row))
        })
    };
    Clips {
        low: axis.low,
        high: axis.high,
        sections: scaled.iter().map(|(s, _)| format!("{} {}", s.machine, s.section)).collect(),
        machines,
        of,
        names: rows().map(|(_, _, row)| row.clip.name.as_str()).collect(),
        section: rows().map(|(section, ..)| section).collect(),
        relative: rows().map(|(_, scale, row)| scale.relative(row.score)).collect(),
        kind: rows()
            .map(|(_, _, row)| match row.clip.condition {
                Some(Condition::Normal) => 0,
                Some(Condition::Anomaly) => 1,
                None => 2,
            })
            .collect(),
        clip_s: data.clip_s,
    }
}

/// Where each clip stands in the arrays of the script, in the order of sections and rows.
pub(crate) fn first_of_section(sections: &[SectionScores]) -> Vec<Option<usize>> {
    let mut next = 0;
    let first = |section: &SectionScores| {
        let is_scaled = section.threshold.is_some() && !section.rows.is_empty();
        let has_scale = is_scaled && Scale::of(section).is_some();
        has_scale.then(|| {
            let first = next;
            next += section.rows.len();
            first
        })
    };
    sections.iter().map(first).collect()
}
