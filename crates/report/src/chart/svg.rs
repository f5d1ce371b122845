//! Drawing in SVG: a canvas, a frame with axes, and the style of both.

use std::fmt::Write;

use super::Axis;
use crate::markup::escape;

/// Width of a chart unless another is asked for: a phone's, so that its letters stay legible there.
pub(crate) const WIDTH: f64 = 400.0;

/// Height of a row of legend.
const LEGEND_ROW: f64 = 18.0;
/// Length of the stroke beside a name.
const STROKE: f64 = 18.0;
/// Width of a letter, on average and with room to spare.
const LETTER: f64 = 6.9;

/// Style of all charts, in the colours of [`THEME`].
pub const STYLE: &str = include_str!("style.css");

/// Colours as custom properties, for light and for dark paper.
pub const THEME: &str = include_str!("theme.css");

/// An `<svg>` element as a file: with its own style.
pub(crate) fn standalone(svg: &str) -> String {
    let styled = format!(
        "><style>{THEME}{STYLE}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>"
    );
    svg.replacen('>', &styled, 1)
}

/// An `<svg>` element that is being drawn.
pub(crate) struct Canvas {
    width: f64,
    height: f64,
    /// Attributes that the page's script reads, for whoever points at the chart.
    data: String,
    body: String,
}

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, data: String::new(), body: String::new() }
    }

    /// Says something to the page's script, as attribute `data-<name>`.
    pub(crate) fn tell(&mut self, name: &str, text: &str) {
        let _ = write!(self.data, " data-{name}=\"{}\"", escape(text));
    }

    /// Puts what `draw` draws into a group of this name.
    pub(crate) fn group(&mut self, name: &str, draw: impl FnOnce(&mut Self)) {
        let _ = write!(self.body, "<g data-name=\"{}\">", escape(name));
        draw(self);
        self.body.push_str("</g>");
    }

    pub(crate) fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    /// A path through points; `closed` for an area.
    pub(crate) fn path(&mut self, class: &str, points: &[[f64; 2]], closed: bool) {
        let mut d = String::new();
        for (index, [x, y]) in points.iter().enumerate() {
            let _ = write!(d, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        }
        let end = if closed { "Z" } else { "" };
        let _ = write!(self.body, "<path class=\"{class}\" d=\"{d}{end}\"/>");
    }

    pub(crate) fn text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let text = escape(text);
        let _ =
            write!(self.body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
    }

    /// Text that reads upwards, centred on its place.
    pub(crate) fn upward_text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let text = escape(text);
        let _ = write!(
            self.body,
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\">{text}</text>"
        );
    }

    /// Adds markup that is already safe.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    pub(crate) fn finish(self, description: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
             viewBox=\"0 0 {} {}\" aria-label=\"{}\"{}>{}</svg>",
            self.width,
            self.height,
            escape(description),
            self.data,
            self.body
        )
    }
}

/// The rectangle that data are drawn in, with its two axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

impl Frame {
    /// A frame in a chart of this height, below its legend.
    pub(crate) fn new([width, height]: [f64; 2], legend: &Legend, x: Axis, y: Axis) -> Self {
        let top = 10.0 + legend.height();
        Self { left: 52.0, top, right: width - 16.0, bottom: height - 40.0, x, y }
    }

    pub(crate) fn place(&self, x: f64, y: f64) -> [f64; 2] {
        [self.x.place(x, self.left, self.right), self.y.place(y, self.bottom, self.top)]
    }

    /// Draws grid, ticks and axis titles.
    pub(crate) fn draw(&self, canvas: &mut Canvas, x_title: &str, y_title: &str) {
        for (value, label) in self.y.ticks() {
            let [_, y] = self.place(self.x.low, value);
            canvas.line("grid", [self.left, y], [self.right, y]);
            canvas.text("tick end", [self.left - 6.0, y + 4.0], &label);
        }
        for (value, label) in self.x.ticks() {
            let [x, _] = self.place(value, self.y.low);
            canvas.line("axis", [x, self.bottom], [x, self.bottom + 4.0]);
            canvas.text("tick middle", [x, self.bottom + 17.0], &label);
        }
        canvas.line("axis", [self.left, self.bottom], [self.right, self.bottom]);
        self.tell(canvas, x_title, y_title);
        canvas.text("label end", [self.right, self.bottom + 34.0], x_title);
        canvas.upward_text("label middle", [12.0, f64::midpoint(self.top, self.bottom)], y_title);
    }
}

impl Frame {
    /// Tells the page's script where the axes are and what they stand for.
    fn tell(&self, canvas: &mut Canvas, x_title: &str, y_title: &str) {
        let Self { left, top, right, bottom, x, y } = self;
        let scale = |axis: &Axis| u8::from(axis.is_logarithmic());
        let places = [*left, *right, *bottom, *top].map(|place| format!("{place:.1}")).join(" ");
        let ranges = [x.low, x.high, y.low, y.high].map(|end| format!("{end:.6e}")).join(" ");
        canvas.tell("frame", &format!("{places} {ranges} {} {}", scale(x), scale(y)));
        canvas.tell("x", x_title);
        canvas.tell("y", y_title);
    }
}

/// Names of groups, each with the class of its stroke, set in rows above a chart.
pub(crate) struct Legend {
    entries: Vec<LegendEntry>,
    /// Whether groups are dots, told apart by their shape, and not lines.
    has_markers: bool,
    pub(crate) rows: usize,
}

struct LegendEntry {
    class: String,
    name: String,
    left: f64,
    row: usize,
}

impl Legend {
    /// Entries side by side, in a new row where the line is full.
    pub(crate) fn new(width: f64, names: impl IntoIterator<Item = (String, String)>) -> Self {
        let (first, last) = (12.0, width - 4.0);
        let (mut left, mut row) = (first, 0);
        let mut entries = Vec::new();
        for (class, name) in names {
            let name = shortened(&name, 44);
            let taken = STROKE + 6.0 + LETTER * name.chars().count() as f64;
            if left + taken > last && left > first {
                (left, row) = (first, row + 1);
            }
            entries.push(LegendEntry { class, name, left, row });
            left += taken + 16.0;
        }
        let rows = if entries.is_empty() { 0 } else { row + 1 };
        Self { entries, has_markers: false, rows }
    }

    /// The same for groups of dots.
    pub(crate) fn of_markers(self) -> Self {
        Self { has_markers: true, ..self }
    }

    /// Height of all rows.
    pub(crate) fn height(&self) -> f64 {
        LEGEND_ROW * self.rows as f64
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas) {
        for (group, LegendEntry { class, name, left, row }) in self.entries.iter().enumerate() {
            let y = 14.0 + LEGEND_ROW * *row as f64;
            if self.has_markers {
                canvas.raw(&marker(class, group, [left + 0.5 * STROKE, y - 4.0]));
            } else {
                canvas.line(class, [*left, y - 4.0], [left + STROKE, y - 4.0]);
            }
            canvas.text("label", [left + STROKE + 6.0, y], name);
        }
    }
}

/// The text, its middle left out where it is too long.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.to_owned();
    }
    let head: String = letters[..most.saturating_sub(1).div_ceil(2)].iter().collect();
    let tail: String = letters[letters.len() - most.saturating_sub(1) / 2..].iter().collect();
    format!("{head}\u{2026}{tail}")
}

/// A dot whose shape tells groups apart where colours cannot: with six colours, 24 groups differ.
pub(crate) fn marker(class: &str, group: usize, [x, y]: [f64; 2]) -> String {
    match (group + group / 12) % 4 {
        0 => format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\"/>"),
        1 => format!("<path class=\"{class}\" d=\"M{x:.1} {:.1}l3.2 5.6h-6.4z\"/>", y - 3.4),
        2 => {
            format!("<path class=\"{class}\" d=\"M{:.1} {:.1}h4.8v4.8h-4.8z\"/>", x - 2.4, y - 2.4)
        }
        _ => format!(
            "<path class=\"{class}\" d=\"M{x:.1} {:.1}l3.4 3.4l-3.4 3.4l-3.4-3.4z\"/>",
            y - 3.4
        ),
    }
}
