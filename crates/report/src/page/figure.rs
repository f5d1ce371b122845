//! A chart with what it shows above it and what more there is to say below.

use askama::Template;

use crate::{
    chart::{Chart, WIDTH},
    markup::Markup,
};

/// Width of a chart that stands alone on a screen with room.
const ALONE: f64 = 1120.0;
/// Width of one of two side by side.
const HALF: f64 = 540.0;

#[derive(Template)]
#[template(path = "figure.html")]
struct Figure<'a> {
    caption: &'a str,
    drawing: Markup,
    /// The same drawn wider, for screens with room.
    wide: Option<Markup>,
    remark: &'a str,
}

/// Charts side by side, each with a caption and a remark; nothing of none.
pub(crate) fn figures<C: Chart>(charts: &[(String, C, String)]) -> Markup {
    // Three in a row are as wide as on a phone.
    let (wide, class) = match charts.len() {
        0 => return Markup::default(),
        1 => (Some(ALONE), "figures"),
        2 | 4 => (Some(HALF), "figures two"),
        _ => (None, "figures"),
    };
    let figure = |(caption, chart, remark): &(String, C, String)| {
        let figure = Figure {
            caption,
            drawing: Markup(chart.svg_at(WIDTH)),
            wide: wide.map(|width| Markup(chart.svg_at(width))),
            remark,
        };
        Markup::of(&figure).0
    };
    let figures: String = charts.iter().map(figure).collect();
    Markup(format!("<div class=\"{class}\">{figures}</div>"))
}
