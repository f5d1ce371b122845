//! A chart with what it shows above it and what more there is to say below.

use askama::Template;

use crate::{
    chart::{Chart, WIDTH},
    markup::Markup,
};

/// Widths that charts are drawn for where there is room, alone and two side by side.
const WIDE: [f64; 2] = [1120.0, 540.0];

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
    let wide = charts.len().checked_sub(1).and_then(|index| WIDE.get(index));
    let figure = |(caption, chart, remark): &(String, C, String)| {
        let figure = Figure {
            caption,
            drawing: Markup(chart.svg_at(WIDTH)),
            wide: wide.map(|width| Markup(chart.svg_at(*width))),
            remark,
        };
        Markup::of(&figure).0
    };
    match charts {
        [] => Markup::default(),
        charts => {
            let figures: String = charts.iter().map(figure).collect();
            Markup(format!("<div class=\"figures\">{figures}</div>"))
        }
    }
}
