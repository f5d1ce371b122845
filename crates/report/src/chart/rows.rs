//! Rows of values side by side: trials of each cell of a study, with mean and deviation.

use std::fmt::Write;

use offkey_core::stats;
use serde::{Deserialize, Serialize};

use super::{Axis, Canvas, Chart, csv_field, number, svg::shortened};

const ROW_HEIGHT: f64 = 34.0;
const BOTTOM: f64 = 44.0;

/// A chart of rows, each with its values as dots, their mean as a mark and their deviation as a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowChart {
    /// What is shown, as in `AUC on mimii_dev`.
    pub title: String,
    /// Name and unit of the horizontal axis.
    pub x_title: String,
    /// The rows, from the top.
    pub rows: Vec<ChartRow>,
}

/// One row of a [`RowChart`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartRow {
    /// Its name.
    pub name: String,
    /// Its values, as one a trial.
    pub values: Vec<f64>,
}

impl ChartRow {
    /// Mean and sample deviation of the finite values; none without any.
    fn spread(&self) -> Option<(f64, f64)> {
        let finite: Vec<f64> = self.values.iter().copied().filter(|v| v.is_finite()).collect();
        Some((stats::mean(&finite)?, stats::deviation(&finite).unwrap_or(0.0)))
    }
}

impl Chart for RowChart {
    fn svg_at(&self, width: f64) -> String {
        let height = ROW_HEIGHT * self.rows.len() as f64 + BOTTOM;
        let (left, right, bottom) = (14.0, width - 14.0, height - BOTTOM + 4.0);
        let ends = self.rows.iter().filter_map(ChartRow::spread);
        let ends = ends.flat_map(|(mean, deviation)| [mean - deviation, mean + deviation]);
        let values = self.rows.iter().flat_map(|row| row.values.iter().copied());
        let x = Axis::around(values.chain(ends), 5);
        let place = |value: f64| x.place(value, left, right);
        let mut canvas = Canvas::new(width, height);
        for (value, label) in x.ticks() {
            canvas.line("grid", [place(value), 0.0], [place(value), bottom]);
            canvas.text("tick middle", [place(value), bottom + 16.0], &label);
        }
        canvas.text("label end", [right, bottom + 34.0], &self.x_title);
        canvas.tell(
            "frame",
            &format!("{left} {right} {bottom} 0 {:.6e} {:.6e} 0 1 0 0", x.low, x.high),
        );
        canvas.tell("x", &self.x_title);
        for (index, row) in self.rows.iter().enumerate() {
            let top = ROW_HEIGHT * index as f64;
            canvas.text("label over", [left, top + 13.0], &shortened(&row.name, 58));
            let y = top + 24.0;
            if let Some((mean, deviation)) = row.spread() {
                canvas.line("spread", [place(mean - deviation), y], [place(mean + deviation), y]);
                canvas.line("mean", [place(mean), y - 6.0], [place(mean), y + 6.0]);
            }
            canvas.group(&row.name, |canvas| {
                for value in row.values.iter().filter(|value| value.is_finite()) {
                    let x = place(*value);
                    canvas.raw(&format!(
                        "<circle class=\"f0 dot\" cx=\"{x:.1}\" cy=\"{y}\" r=\"2.6\"/>"
                    ));
                }
            });
        }
        canvas.finish(&self.description())
    }

    fn description(&self) -> String {
        let mut words = format!("{}: {}.", self.title, self.x_title);
        for row in &self.rows {
            if let Some((mean, deviation)) = row.spread() {
                let (mean, deviation) = (number(mean), number(deviation));
                let _ = write!(words, " {}: mean {mean}, deviation {deviation}.", row.name);
            }
        }
        words
    }

    fn csv(&self) -> String {
        let mut csv = format!("row,{}\n", csv_field(&self.x_title));
        for row in &self.rows {
            for value in &row.values {
                let _ = writeln!(csv, "{},{value}", csv_field(&row.name));
            }
        }
        csv
    }
}
