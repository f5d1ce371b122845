//! Small, restrained charts as SVG with their numbers as CSV, and spectrograms as PNG.
//!
//! A chart is drawn with class names instead of colours, so that a page can dress it for light and
//! dark; written to a file of its own it brings its style along.

mod axis;
mod bars;
mod color;
mod explained;
mod lines;
mod map;
mod picture;
mod rows;
mod spectrogram;
mod svg;

use std::{io, path::Path};

use offkey_core::{table, write_whole};

pub use bars::Histogram;
pub use color::{ColorMap, MAGMA, VIRIDIS};
pub use explained::ExplainedClip;
pub use lines::{LineChart, Series};
pub use map::{MapGroup, PointMap};
pub use picture::{Levels, PictureError, importance_png, overlaid_png, spectrogram_png};
pub use rows::{ChartRow, RowChart};
pub use spectrogram::Picture;
pub use svg::{STYLE, THEME};

pub(crate) use axis::{Axis, are_skewed, number};
pub(crate) use spectrogram::{SPECTROGRAM_HEIGHT, spectrogram_svg};
pub(crate) use svg::{Canvas, Frame, WIDTH};

/// What every chart can do.
pub trait Chart {
    /// The chart as an `<svg>` element without colours, to stand in a page that has [`THEME`] and
    /// [`STYLE`], drawn for a phone.
    fn svg(&self) -> String {
        self.svg_at(WIDTH)
    }

    /// The same drawn for another width, in pixels.
    fn svg_at(&self, width: f64) -> String;

    /// What the chart shows, in words, for readers who cannot see it.
    fn description(&self) -> String;

    /// The numbers shown, with a header line.
    fn csv(&self) -> String;
}

impl<C: Chart + ?Sized> Chart for Box<C> {
    fn svg_at(&self, width: f64) -> String {
        (**self).svg_at(width)
    }

    fn description(&self) -> String {
        (**self).description()
    }

    fn csv(&self) -> String {
        (**self).csv()
    }
}

/// Writes `<name>.svg`, which needs no other file, and `<name>.csv` into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_chart(folder: &Path, name: &str, chart: &impl Chart) -> io::Result<()> {
    write_whole(&folder.join(format!("{name}.svg")), svg::standalone(&chart.svg()).as_bytes())?;
    write_whole(&folder.join(format!("{name}.csv")), chart.csv().as_bytes())
}

/// One CSV field, quoted where it must be.
pub(crate) fn csv_field(text: &str) -> String {
    let text = table::guarded(text);
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}
