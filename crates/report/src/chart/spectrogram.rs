//! A spectrogram with axes, as it stands in the page and in an explanation.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Axis, svg::WIDTH};
use crate::{
    markup::{base64_bytes, data_url, escape},
    rise::Finding,
};

/// A PNG with its axes: time from left to right, frequency from bottom to top.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// The file's bytes.
    #[serde(with = "base64_bytes")]
    pub png: Vec<u8>,
    /// Time at the right edge.
    pub duration_s: f64,
    /// Frequency at the bottom edge.
    pub low_hz: f64,
    /// Frequency at the top edge.
    pub high_hz: f64,
}

/// Height of a spectrogram with its axes; it is as wide as every chart.
pub(crate) const SPECTROGRAM_HEIGHT: f64 = 226.0;

/// A spectrogram as SVG with axes of time and frequency, something laid over it, and places framed
/// and numbered from 1.
pub(crate) fn spectrogram_svg(
    picture: &Picture,
    overlay: Option<&Picture>,
    marked: &[Finding],
    description: &str,
) -> String {
    let (left, top, right, bottom) = (58.0, 8.0, 390.0, 190.0);
    let class = if overlay.is_some() { "chart spectrogram marked" } else { "chart spectrogram" };
    let mut svg = format!(
        "<svg class=\"{class}\" role=\"img\" viewBox=\"0 0 {WIDTH} {SPECTROGRAM_HEIGHT}\" aria-label=\"{}\">",
        escape(description)
    );
    let mut image = |class: &str, picture: &Picture| {
        let (width, height) = (right - left, bottom - top);
        let url = data_url("image/png", &picture.png);
        let _ = write!(
            svg,
            "<image class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
             preserveAspectRatio=\"none\" href=\"{url}\"/>"
        );
    };
    image("sound", picture);
    if let Some(overlay) = overlay {
        image("importance", overlay);
    }
    let time = Axis::exact(0.0, picture.duration_s, 5);
    for (value, label) in time.ticks() {
        let x = time.place(value, left, right);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
             <text class=\"tick middle\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>",
            bottom + 4.0,
            bottom + 17.0
        );
    }
    let frequency = Axis::exact(picture.low_hz, picture.high_hz, 4);
    for (value, label) in frequency.ticks() {
        let y = frequency.place(value, bottom, top);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{:.1}\" x2=\"{left}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
            left - 4.0,
            left - 6.0,
            y + 4.0
        );
    }
    for (index, finding) in marked.iter().enumerate() {
        let [x1, x2] = [finding.from_s, finding.to_s].map(|at| time.place(at, left, right));
        let [y1, y2] = [finding.high_hz, finding.low_hz].map(|at| frequency.place(at, bottom, top));
        let (width, height) = (x2 - x1, y2 - y1);
        let _ = write!(
            svg,
            "<rect class=\"frame\" x=\"{x1:.1}\" y=\"{y1:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\
             <text class=\"frame-number\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x1 + 4.0,
            y1 + 14.0,
            index + 1
        );
    }
    let middle = f64::midpoint(top, bottom);
    let _ = write!(
        svg,
        "<text class=\"label end\" x=\"{right}\" y=\"{}\">time (s)</text>\
         <text class=\"label middle\" transform=\"translate(11 {middle}) rotate(-90)\">frequency (Hz)</text></svg>",
        bottom + 33.0
    );
    svg
}
