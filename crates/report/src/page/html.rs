//! The page's outline: which sections there are, in which order, and the shell around them.

use askama::Template;

use super::{
    PageData, clips, figure::figures, machines::machines, map, scores, tables, threshold, training,
    trials, verdict::verdict,
};
use crate::{
    chart::{self, LineChart, RowChart},
    markup::Markup,
};

const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 4] = [
    include_str!("page.js"),
    include_str!("chart.js"),
    include_str!("clips.js"),
    include_str!("map.js"),
];

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: &'a str,
    subtitle: &'a str,
    style: Markup,
    script: Markup,
    verdict: Markup,
    summary: &'a [String],
    sections: Vec<Section>,
}

/// A part of the page under its own heading.
struct Section {
    /// Anchor, unique on the page.
    id: &'static str,
    /// Short name for the list of contents.
    name: &'static str,
    heading: &'static str,
    body: Markup,
}

#[derive(Template)]
#[template(path = "run.html")]
struct HowMade<'a> {
    recipe: &'a str,
    manifest: &'a str,
}

/// One HTML file that shows `data`, without outside resources.
///
/// Everything in `data` is taken as text, never as markup. Sections without data are left out,
/// and audio that would take the page beyond its size is replaced by a remark.
pub fn render(data: &PageData) -> String {
    let silent = page(data, 0);
    let limit = data.limit_bytes.unwrap_or(PageData::DEFAULT_LIMIT_BYTES);
    let has_sound = data.clips.iter().any(|card| card.audio.is_some());
    if has_sound { page(data, limit.saturating_sub(silent.len())) } else { silent }
}

fn page(data: &PageData, audio_bytes: usize) -> String {
    let style = [chart::THEME, STYLE, chart::STYLE].concat();
    let page = Page {
        title: &data.title,
        subtitle: &data.subtitle,
        style: Markup(style),
        script: Markup(SCRIPTS.concat()),
        verdict: verdict(data),
        summary: &data.summary,
        sections: sections(data, audio_bytes),
    };
    Markup::of(&page).0
}

/// The sections that have something to show; `audio_bytes` may be spent on sound.
fn sections(data: &PageData, audio_bytes: usize) -> Vec<Section> {
    let all = [
        ("trials", "Seeds", "Seed by seed", trials::trials(&data.trials)),
        ("machines", "Machines", "Machine by machine", machines(data)),
        ("threshold", "Threshold", "Scores and threshold", threshold::threshold(data)),
        ("clips", "Clips", "Clips, mistakes first", clips::clips(data, audio_bytes)),
        ("map", "Map", "Map of the embeddings", map::map(data)),
        ("scores", "Curves", "Histograms and ROC curves", scores::scores(&data.sections)),
        ("conditions", "Conditions", "Scores and conditions", scores::conditions(data)),
        ("metrics", "Metrics", "Metrics", tables::tables(&data.metrics)),
        ("comparison", "Cells", "Cells compared", comparisons(data)),
        ("curves", "Trainings", "While training", curves(data)),
        ("training", "Training", "Training", training::training(&data.training)),
        ("run", "Recipe", "How this was made", how_made(data)),
    ];
    let with_content = all.into_iter().filter(|(.., body)| !body.is_empty());
    with_content.map(|(id, name, heading, body)| Section { id, name, heading, body }).collect()
}

fn comparisons(data: &PageData) -> Markup {
    let remark =
        "One dot per trial; the mark is their mean, the line one standard deviation to each side.";
    let chart = |chart: &RowChart| (chart.title.clone(), chart.clone(), remark.to_owned());
    figures(&data.comparisons.iter().map(chart).collect::<Vec<_>>())
}

fn curves(data: &PageData) -> Markup {
    let chart = |chart: &LineChart| (chart.title.clone(), chart.clone(), String::new());
    figures(&data.curves.iter().map(chart).collect::<Vec<_>>())
}

fn how_made(data: &PageData) -> Markup {
    let (recipe, manifest) = (data.recipe_toml.trim(), data.manifest_json.trim());
    if recipe.is_empty() && manifest.is_empty() {
        return Markup::default();
    }
    Markup::of(&HowMade { recipe, manifest })
}
