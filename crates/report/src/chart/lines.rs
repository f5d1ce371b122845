//! Lines and dots over a number: ROC curves, training curves, scores against a covariate.

use std::{collections::BTreeSet, fmt::Write};

use serde::{Deserialize, Serialize};

use super::{
    Axis, Canvas, Chart, Frame, are_skewed, csv_field, number,
    svg::{Legend, marker, shortened},
};

/// Points that a line can hold and still be told apart on a chart of this size.
const MOST_POINTS: usize = 400;
/// Groups that have a colour of their own; later ones repeat them dashed.
const COLORS: usize = 6;

/// Places along x at which dots are drawn side by side.
const FEW_PLACES: usize = 12;

/// A chart of lines, or of dots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineChart {
    /// What is shown, as in `ROC curve, fan 00`.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x_title: String,
    /// Name and unit of the vertical axis.
    pub y_title: String,
    /// The groups.
    pub series: Vec<Series>,
    /// Fixed range of both axes, as 0..=1 for a ROC; with it come the diagonal of chance and the
    /// part that the partial AUC looks at.
    pub is_roc: bool,
    /// Draws dots instead of lines.
    pub dots: bool,
    /// A horizontal line, as a threshold.
    pub level: Option<f64>,
}

/// One group of points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Places, in drawing order.
    pub points: Vec<[f64; 2]>,
}

impl LineChart {
    /// A chart of lines with axes fitted to the data.
    pub fn lines(title: &str, x_title: &str, y_title: &str, series: Vec<Series>) -> Self {
        Self {
            title: title.to_owned(),
            x_title: x_title.to_owned(),
            y_title: y_title.to_owned(),
            series,
            is_roc: false,
            dots: false,
            level: None,
        }
    }

    /// ROC curves.
    pub fn roc(title: &str, series: Vec<Series>) -> Self {
        let chart = Self::lines(title, "false-positive rate", "true-positive rate", series);
        Self { is_roc: true, ..chart }
    }

    /// Dots with a horizontal line.
    pub fn dots(
        title: &str,
        x_title: &str,
        y_title: &str,
        series: Vec<Series>,
        level: Option<f64>,
    ) -> Self {
        Self { dots: true, level, ..Self::lines(title, x_title, y_title, series) }
    }

    /// Axes over all points, with room at the sides of dots.
    fn axes(&self) -> (Axis, Axis) {
        if self.is_roc {
            return (Axis::exact(0.0, 1.0, 5), Axis::exact(0.0, 1.0, 5));
        }
        let along = |axis: usize| self.series.iter().flat_map(|s| &s.points).map(move |p| p[axis]);
        let x = Axis::around(along(0), 6);
        let x = if self.dots { x.widened(0.05) } else { x };
        let y = along(1).chain(self.level);
        let is_logarithmic = self.dots && are_skewed(y.clone());
        (x, if is_logarithmic { Axis::around_logarithms(y) } else { Axis::around(y, 5) })
    }

    /// Dots of one group. Where all groups share a few places along x, each stands beside them,
    /// spread evenly, so that dots do not hide each other.
    fn draw_dots(&self, frame: &Frame, canvas: &mut Canvas, group: usize) {
        let width = frame.right - frame.left;
        let all = self.series.iter().flat_map(|series| &series.points);
        let places: BTreeSet<u64> = all.map(|point| point[0].to_bits()).take(10_000).collect();
        let (aside, spread) = if places.len() <= FEW_PLACES {
            let room = width / (FEW_PLACES.max(places.len()) * self.series.len()) as f64;
            ((group as f64 - (self.series.len() - 1) as f64 / 2.0) * room, 0.7 * room)
        } else {
            (0.0, 0.0)
        };
        let class = dot(group);
        let points = self.series[group].points.iter().filter(|point| is_finite(point));
        for (index, [x, y]) in points.enumerate() {
            let [x, y] = frame.place(*x, *y);
            // Multiples of the golden section fill an interval evenly.
            let share = (index as f64 * 0.618_033_988_75).fract() - 0.5;
            canvas.raw(&marker(&class, group, [x + aside + spread * share, y]));
        }
    }

    fn draw_roc(frame: &Frame, canvas: &mut Canvas) {
        let corners = [[0.0, 0.0], [0.1, 0.0], [0.1, 1.0], [0.0, 1.0]];
        canvas.path("band", &corners.map(|[x, y]| frame.place(x, y)), true);
        canvas.line("chance", frame.place(0.0, 0.0), frame.place(1.0, 1.0));
    }
}

/// Colour and dash of a group.
fn stroke(index: usize) -> String {
    let dash = ["", " dash1", " dash2"][index / COLORS % 3];
    format!("s{}{dash}", index % COLORS)
}

/// Colour of a group's dots.
fn dot(index: usize) -> String {
    format!("f{} dot", index % COLORS)
}

impl Chart for LineChart {
    fn svg_at(&self, width: f64) -> String {
        let names = self.series.iter().enumerate();
        let class = if self.dots { dot } else { stroke };
        let names = names.map(|(index, series)| (class(index), series.name.clone()));
        let legend = Legend::new(width, names.filter(|_| self.series.len() > 1 || self.is_roc));
        let legend = if self.dots { legend.of_markers() } else { legend };
        let height = if self.is_roc { 330.0 } else { 212.0 } + legend.height();
        let (x, y) = self.axes();
        let frame = Frame::new([width, height], &legend, x, y);
        let mut canvas = Canvas::new(width, height);
        let scale = if frame.y.is_logarithmic() { " (log)" } else { "" };
        frame.draw(&mut canvas, &self.x_title, &format!("{}{scale}", self.y_title));
        if self.is_roc {
            Self::draw_roc(&frame, &mut canvas);
        }
        for (index, series) in self.series.iter().enumerate() {
            canvas.group(&series.name, |canvas| {
                if self.dots {
                    self.draw_dots(&frame, canvas, index);
                } else {
                    let points = thinned(&series.points);
                    let places: Vec<_> = points.iter().map(|[x, y]| frame.place(*x, *y)).collect();
                    canvas.path(&stroke(index), &places, false);
                }
            });
        }
        if let Some(level) = self.level {
            let [_, y] = frame.place(0.0, level);
            canvas.line("threshold", [frame.left, y], [frame.right, y]);
        }
        legend.draw(&mut canvas);
        canvas.finish(&self.description())
    }

    fn description(&self) -> String {
        let mut words = format!("{}: {} over {}.", self.title, self.y_title, self.x_title);
        for series in &self.series {
            let name = shortened(&series.name, 60);
            let finite = || series.points.iter().filter(|point| is_finite(point));
            match (finite().next(), finite().next_back()) {
                (Some(first), Some(last)) if !self.is_roc && !self.dots => {
                    let (from, to) = (number(first[1]), number(last[1]));
                    let _ = write!(words, " {name}: from {from} to {to}.");
                }
                _ => {
                    let _ = write!(words, " {name}: {} points.", series.points.len());
                }
            }
        }
        words
    }

    fn csv(&self) -> String {
        let mut csv = format!("series,{},{}\n", csv_field(&self.x_title), csv_field(&self.y_title));
        for series in &self.series {
            for [x, y] in &series.points {
                let _ = writeln!(csv, "{},{x},{y}", csv_field(&series.name));
            }
        }
        csv
    }
}

fn is_finite(point: &[f64; 2]) -> bool {
    point.iter().all(|value| value.is_finite())
}

/// The finite points, neighbours averaged where there are more than a line can show. The first and
/// the last point stay.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let points: Vec<[f64; 2]> = points.iter().copied().filter(is_finite).collect();
    if points.len() <= MOST_POINTS {
        return points;
    }
    let inner = &points[1..points.len() - 1];
    let means = inner.chunks(inner.len().div_ceil(MOST_POINTS)).map(|chunk| {
        [0, 1].map(|axis| chunk.iter().map(|point| point[axis]).sum::<f64>() / chunk.len() as f64)
    });
    std::iter::once(points[0]).chain(means).chain([points[points.len() - 1]]).collect()
}
