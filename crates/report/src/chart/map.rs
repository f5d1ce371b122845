//! A map of points in groups, as a picture that stands alone.

use std::fmt::Write;

use super::{
    Axis, Canvas, Chart,
    color::{GROUPS, RANKS},
    csv_field,
    picture::{PictureError, encode_rgb},
    svg::{marker, shortened},
};

/// Groups with a colour and shape of their own.
const MOST_GROUPS: usize = 24;

/// Points on a plane whose axes mean nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct PointMap {
    /// What is shown, as in `t-SNE by machine`.
    pub title: String,
    /// The groups, told apart by colour and shape.
    pub groups: Vec<MapGroup>,
    /// Whether the groups rise from the first to the last: shades from pale to strong take the
    /// place of colours, of which there are five.
    pub is_ranked: bool,
}

/// Points of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct MapGroup {
    /// Name in the legend.
    pub name: String,
    /// Places.
    pub points: Vec<[f64; 2]>,
}

impl PointMap {
    /// Places in a square of this side, upwards as on paper; a common scale for both axes.
    fn places(&self, side: f64, margin: f64) -> Vec<Vec<[f64; 2]>> {
        let along = |axis: usize| {
            let all = self.groups.iter().flat_map(|group| &group.points).map(move |p| p[axis]);
            all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let ((left, right), (bottom, top)) = (along(0), along(1));
        let half = 0.5 * (right - left).max(top - bottom).max(f64::MIN_POSITIVE);
        let around = |low: f64, high: f64| {
            let middle = f64::midpoint(low, high);
            Axis::exact(middle - half, middle + half, 5)
        };
        let (x, y) = (around(left, right), around(bottom, top));
        let place = |p: &[f64; 2]| {
            [x.place(p[0], margin, side - margin), y.place(p[1], side - margin, margin)]
        };
        self.groups.iter().map(|group| group.points.iter().map(place).collect()).collect()
    }

    /// Class of a group's colour.
    fn class(&self, group: usize) -> String {
        if self.is_ranked { format!("r{}", group % 5) } else { format!("f{}", group % 6) }
    }

    fn marker(&self, class: &str, group: usize, place: [f64; 2]) -> String {
        marker(class, if self.is_ranked { 0 } else { group }, place)
    }

    /// The map as a PNG of `side` x `side` pixels, without legend, on white.
    ///
    /// # Errors
    /// [`PictureError`] when the side is zero.
    pub fn png(&self, side: u32) -> Result<Vec<u8>, PictureError> {
        let mut pixels = vec![255_u8; 3 * side as usize * side as usize];
        let radius = f64::from(side) / 260.0 + 0.8;
        for (index, places) in
            self.places(f64::from(side), 0.03 * f64::from(side)).iter().enumerate()
        {
            let color = if self.is_ranked { RANKS[index % 5] } else { GROUPS[index % 6] };
            let color = rgb(color);
            for place in places {
                disc(&mut pixels, side, *place, radius, color);
            }
        }
        encode_rgb(side, side, &pixels)
    }
}

impl Chart for PointMap {
    fn svg_at(&self, width: f64) -> String {
        let shown = self.groups.len().min(MOST_GROUPS);
        let rows = shown.div_ceil(3);
        let height = width + 18.0 * rows as f64 + 6.0;
        let mut canvas = Canvas::new(width, height);
        for (index, places) in self.places(width, 12.0).iter().enumerate() {
            let class = format!("{} dot", self.class(index));
            for place in places {
                canvas.raw(&self.marker(&class, index, *place));
            }
        }
        for (index, group) in self.groups.iter().take(shown).enumerate() {
            let (row, column) = (index / 3, index % 3);
            let (x, y) = (16.0 + 128.0 * column as f64, width + 12.0 + 18.0 * row as f64);
            canvas.raw(&self.marker(&self.class(index), index, [x, y - 4.0]));
            canvas.text("label", [x + 9.0, y], &shortened(&group.name, 18));
        }
        canvas.finish(&self.description())
    }

    fn description(&self) -> String {
        let points: usize = self.groups.iter().map(|group| group.points.len()).sum();
        let names: Vec<&str> =
            self.groups.iter().take(MOST_GROUPS).map(|group| group.name.as_str()).collect();
        format!(
            "{}: {points} points in {} groups: {}.",
            self.title,
            self.groups.len(),
            names.join(", ")
        )
    }

    fn csv(&self) -> String {
        let mut csv = "group,x,y\n".to_owned();
        for group in &self.groups {
            for [x, y] in &group.points {
                let _ = writeln!(csv, "{},{x},{y}", csv_field(&group.name));
            }
        }
        csv
    }
}

/// A colour written as `#rrggbb`.
fn rgb(hex: &str) -> [u8; 3] {
    let channel = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("our own colours");
    [channel(1), channel(3), channel(5)]
}

/// Paints a disc with a soft rim, four fifths opaque.
fn disc(pixels: &mut [u8], side: u32, [x, y]: [f64; 2], radius: f64, color: [u8; 3]) {
    let around = |middle: f64| {
        let low = (middle - radius - 1.0).floor().max(0.0) as usize;
        low..((middle + radius + 2.0).max(0.0) as usize).min(side as usize)
    };
    for row in around(y) {
        for column in around(x) {
            let away = (column as f64 + 0.5 - x).hypot(row as f64 + 0.5 - y);
            let cover = 0.8 * (radius + 0.5 - away).clamp(0.0, 1.0);
            let at = 3 * (row * side as usize + column);
            for (pixel, ink) in pixels[at..at + 3].iter_mut().zip(color) {
                let mixed = f64::from(*pixel) + cover * (f64::from(ink) - f64::from(*pixel));
                *pixel = mixed.round() as u8;
            }
        }
    }
}
