//! The page's outline: which sections there are, and in which order.

use std::fmt::Write;

use super::{
    PageData,
    data::{ClipCard, MetricTable},
    embed::{data_url, escape},
};

/// One HTML file that shows `data`, without outside resources.
pub fn render(data: &PageData) -> String {
    let mut body = String::new();
    for paragraph in &data.summary {
        let _ = write!(body, "<p>{}</p>", escape(paragraph));
    }
    for table in &data.metrics {
        body.push_str(&metric_table(table));
    }
    for card in &data.clips {
        body.push_str(&clip_card(card));
    }
    if !data.recipe_toml.is_empty() {
        let _ = write!(body, "<h2>Recipe</h2><pre>{}</pre>", escape(&data.recipe_toml));
    }
    if !data.manifest_json.is_empty() {
        let _ = write!(body, "<h2>Manifest</h2><pre>{}</pre>", escape(&data.manifest_json));
    }
    let title = escape(&data.title);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <body><h1>{title}</h1>{body}</body></html>"
    )
}

fn metric_table(table: &MetricTable) -> String {
    let mut html = format!("<table><caption>{}</caption><tr><th>", escape(&table.caption));
    for column in &table.columns {
        let _ = write!(html, "<th>{}", escape(column));
    }
    for row in &table.rows {
        let _ = write!(html, "<tr><th>{}", escape(&row.label));
        for value in &row.values {
            let _ =
                write!(html, "<td>{}", value.map_or(String::new(), |v| format!("{:.3}", v.value)));
        }
    }
    html + "</table>"
}

fn clip_card(card: &ClipCard) -> String {
    let mut html = format!("<article><h3>{}</h3><p>{:.3}</p>", escape(&card.clip.name), card.score);
    for words in &card.words {
        let _ = write!(html, "<p>{}</p>", escape(words));
    }
    if let Some(picture) = &card.spectrogram {
        let _ = write!(
            html,
            "<img alt=\"spectrogram\" src=\"{}\">",
            data_url("image/png", &picture.png)
        );
    }
    if let Some(audio) = &card.audio {
        let _ =
            write!(html, "<audio controls src=\"{}\"></audio>", data_url("audio/wav", &audio.wav));
    }
    html + "</article>"
}
