//! The interactive map of embeddings, and what it shows in words.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use askama::Template;
use ndarray::Array2;
use offkey_core::Condition;
use serde::Serialize;

use super::{
    PageData,
    clips::index_of,
    data::{EmbeddingMap, MapPoint},
    relative::Scale,
    words::plural,
};
use crate::{
    chart::number,
    markup::{Markup, script_json},
    tsne::{Distance, nearest},
};

/// Positions are sent as whole numbers up to this.
const GRID: f32 = 9999.0;

/// The map as the page's script reads it: one array per quantity, one entry per point.
#[derive(Serialize)]
struct Columns<'a> {
    names: Vec<&'a str>,
    x: Vec<u16>,
    y: Vec<u16>,
    /// Ways to colour: name, words in order, and for each point the index of its word.
    groups: Vec<Grouping>,
    /// Relative scores, so that colours mean the same in every section.
    scores: Vec<Option<f32>>,
    /// Index of the clip's card, where it is shown.
    cards: Vec<Option<usize>>,
}

#[derive(Serialize)]
struct Grouping {
    name: &'static str,
    words: Vec<String>,
    of: Vec<usize>,
}

#[derive(Template)]
#[template(path = "map.html")]
struct Figure<'a> {
    method: &'a str,
    groups: Vec<&'static str>,
    is_scored: bool,
    description: String,
    data: Markup,
}

/// The figure, its data and its description.
pub(crate) fn map(data: &PageData) -> Markup {
    let Some(map) = data.map.as_ref().filter(|map| !map.points.is_empty()) else {
        return Markup::default();
    };
    let columns = columns(map, data);
    Markup::of(&Figure {
        method: &map.method,
        groups: columns.groups.iter().map(|group| group.name).collect(),
        is_scored: columns.scores.iter().any(Option::is_some),
        description: description(map, &columns),
        data: Markup(script_json(&columns)),
    })
}

fn columns<'a>(map: &'a EmbeddingMap, data: &PageData) -> Columns<'a> {
    let along = |of: fn(&MapPoint) -> f32| {
        let values = || map.points.iter().map(of);
        let (low, high) = values()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        (values().collect::<Vec<f32>>(), low, (high - low).max(f32::MIN_POSITIVE))
    };
    let ((x, left, width), (y, bottom, height)) = (along(|p| p.x), along(|p| p.y));
    let scale = GRID / width.max(height);
    let place = |values: &[f32], low: f32, span: f32| {
        let margin = 0.5 * (GRID - span * scale);
        values.iter().map(|value| ((value - low) * scale + margin) as u16).collect()
    };
    Columns {
        names: map.points.iter().map(|point| point.clip.name.as_str()).collect(),
        x: place(&x, left, width),
        y: place(&y, bottom, height),
        groups: groupings(map),
        scores: relative_scores(map, data),
        cards: map.points.iter().map(|point| index_of(&data.clips, &point.clip)).collect(),
    }
}

/// Scores of the points on the scale of their sections; of sections without one, none.
fn relative_scores(map: &EmbeddingMap, data: &PageData) -> Vec<Option<f32>> {
    let scales: BTreeMap<(&str, &str), Scale> = data
        .sections
        .iter()
        .filter_map(|s| Some(((s.machine.as_str(), s.section.as_str()), Scale::of(s)?)))
        .collect();
    let relative = |point: &MapPoint| {
        let scale = scales.get(&(point.clip.machine.as_str(), point.clip.section.as_str()))?;
        Some(scale.relative(point.score?) as f32)
    };
    map.points.iter().map(relative).collect()
}

const NORMAL: &str = "normal";

/// The word that a point is grouped by.
type Word = fn(&MapPoint) -> String;

/// Groupings by machine, section, label, domain and split that tell at least two kinds apart, the
/// section where a machine has several; the machine always.
fn groupings(map: &EmbeddingMap) -> Vec<Grouping> {
    let all: [(&'static str, Word); 5] = [
        ("machine", |p| p.clip.machine.clone()),
        ("section", |p| format!("{} {}", p.clip.machine, p.clip.section)),
        ("label", |p| match p.clip.condition {
            Some(Condition::Normal) => NORMAL.to_owned(),
            Some(Condition::Anomaly) => "anomalous".to_owned(),
            None => "unknown".to_owned(),
        }),
        ("domain", |p| p.clip.domain.map_or_else(|| "unknown".to_owned(), |d| d.to_string())),
        ("split", |p| p.clip.split.to_string()),
    ];
    let grouping = |&(name, word): &(&'static str, Word)| {
        let of_points: Vec<String> = map.points.iter().map(word).collect();
        let words: BTreeSet<&String> = of_points.iter().collect();
        let mut words: Vec<String> = words.into_iter().cloned().collect();
        if name == "label" {
            // Colours as in the histograms: normal clips first.
            words.sort_by_key(|word| word != NORMAL);
        }
        let index = |word: &String| words.iter().position(|other| other == word);
        let index = |word: &String| index(word).unwrap_or_default();
        let of = of_points.iter().map(index).collect();
        Grouping { name, words, of }
    };
    let groupings: Vec<Grouping> = all.iter().map(grouping).collect();
    let machines = groupings[0].words.len();
    let says_more = |grouping: &Grouping| match grouping.name {
        "machine" => true,
        "section" => grouping.words.len() > machines,
        _ => grouping.words.len() > 1,
    };
    groupings.into_iter().filter(says_more).collect()
}

/// How well the map keeps each kind together, in words.
fn description(map: &EmbeddingMap, columns: &Columns) -> String {
    let count = map.points.len();
    let mut words = format!("{} of {}", map.method, plural(count, "clip"));
    if let Some(kl) = map.kl {
        let _ = write!(words, ", Kullback-Leibler divergence {} nats", number(kl));
    }
    words.push('.');
    if count < 2 {
        return words;
    }
    let places = Array2::from_shape_fn((count, 2), |(point, axis)| {
        if axis == 0 { map.points[point].x } else { map.points[point].y }
    });
    let neighbors = nearest(places.view(), places.view(), Distance::Euclidean, 1, true);
    let shares: Vec<String> = columns
        .groups
        .iter()
        .filter(|group| group.words.len() > 1)
        .map(|group| {
            let same =
                |point: &usize| group.of[*point] == group.of[neighbors.of(*point).0[0] as usize];
            let share = 100.0 * (0..count).filter(same).count() as f64 / count as f64;
            format!("{share:.0} % the same {}", group.name)
        })
        .collect();
    if !shares.is_empty() {
        let _ = write!(words, " On it, nearest neighbours have: {}.", shares.join(", "));
    }
    words
}
