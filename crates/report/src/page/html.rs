//! The page's outline: which sections there are, in which order, and the shell around them.

use super::{PageData, clips, embed::escape, map, mistakes, scores, summary, tables, training};
use crate::chart::{self, Chart};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A part of the page under its own heading.
pub(crate) struct Section {
    /// Anchor, unique on the page.
    pub(crate) id: &'static str,
    /// Short name for the list of contents.
    pub(crate) name: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) body: String,
}

/// One HTML file that shows `data`, without outside resources.
///
/// Everything in `data` is taken as text, never as markup. Sections without data are left out,
/// and audio that would take the page beyond its size is replaced by a remark.
pub fn render(data: &PageData) -> String {
    let shell = shell(data, &sections(data, 0));
    let limit = data.limit_bytes.unwrap_or(PageData::DEFAULT_LIMIT_BYTES);
    shell_with_audio(data, limit.saturating_sub(shell.len()))
}

fn shell_with_audio(data: &PageData, audio_bytes: usize) -> String {
    shell(data, &sections(data, audio_bytes))
}

/// The sections that have something to show; `audio_bytes` may be spent on sound.
fn sections(data: &PageData, audio_bytes: usize) -> Vec<Section> {
    let all = [
        ("summary", "Summary", "Summary", summary::summary(data)),
        ("metrics", "Metrics", "Metrics", tables::tables(&data.metrics)),
        ("comparison", "Cells", "Cells compared", comparisons(data)),
        ("curves", "Curves", "While training", curves(data)),
        ("scores", "Scores", "Scores and thresholds", scores::scores(&data.sections)),
        ("conditions", "Conditions", "Scores and conditions", scores::conditions(data)),
        ("map", "Map", "Map of the embeddings", map::map(data)),
        ("clips", "Clips", "Clips, heard and explained", clips::clips(&data.clips, audio_bytes)),
        ("mistakes", "Mistakes", "False alarms and misses", mistakes::mistakes(data)),
        ("training", "Training", "Training", training::training(&data.training)),
        ("run", "Recipe", "How this was made", recipe_and_manifest(data)),
    ];
    let with_content = all.into_iter().filter(|(_, _, _, body)| !body.is_empty());
    with_content.map(|(id, name, heading, body)| Section { id, name, heading, body }).collect()
}

fn shell(data: &PageData, sections: &[Section]) -> String {
    let title = escape(&data.title);
    let subtitle = match data.subtitle.as_str() {
        "" => String::new(),
        text => format!("<p class=\"subtitle\">{}</p>", escape(text)),
    };
    let link = |section: &Section| format!("<a href=\"#{}\">{}</a>", section.id, section.name);
    let links: String = sections.iter().map(link).collect();
    let block = |section: &Section| {
        let Section { id, heading, body, .. } = section;
        format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{heading}</h2>{body}</section>"
        )
    };
    let blocks: String = sections.iter().map(block).collect();
    let (theme, chart_style) = (chart::THEME, chart::STYLE);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{theme}{STYLE}{chart_style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to content</a>\n\
         <header><div><h1>{title}</h1>{subtitle}</div>\
         <button type=\"button\" id=\"theme\" hidden>Dark</button></header>\n\
         <nav aria-label=\"Contents\">{links}</nav>\n\
         <main id=\"content\">\n{blocks}\n</main>\n\
         <footer>Made by offkey. This page needs no network and sends nothing.</footer>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn comparisons(data: &PageData) -> String {
    let remark =
        "A dot a trial; the mark is their mean, the line one standard deviation to each side.";
    let charts = data.comparisons.iter();
    in_grid(charts.map(|chart| figure(&chart.title, &chart.svg(), remark)).collect())
}

fn curves(data: &PageData) -> String {
    let charts = data.curves.iter();
    in_grid(charts.map(|chart| figure(&chart.title, &chart.svg(), "")).collect())
}

fn in_grid(figures: String) -> String {
    if figures.is_empty() { figures } else { format!("<div class=\"figures\">{figures}</div>") }
}

fn recipe_and_manifest(data: &PageData) -> String {
    let fold = |name: &str, text: &str| match text.trim() {
        "" => String::new(),
        text => {
            format!(
                "<details><summary>{name}</summary><pre tabindex=\"0\">{}</pre></details>",
                escape(text)
            )
        }
    };
    fold("Recipe", &data.recipe_toml) + &fold("Manifest", &data.manifest_json)
}

/// A figure: what it shows above, the drawing, and what more there is to say below.
pub(crate) fn figure(caption: &str, drawing: &str, remark: &str) -> String {
    let remark = match remark {
        "" => String::new(),
        text => format!("<p class=\"remark\">{}</p>", escape(text)),
    };
    format!("<figure><figcaption>{}</figcaption>{drawing}{remark}</figure>", escape(caption))
}
