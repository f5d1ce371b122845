//! Spectrograms and importance as PNG files.

use ndarray::{Array2, ArrayView2, Axis, s};
use offkey_core::stats::Sorted;
use png::{BitDepth, ColorType, Compression, Encoder};

use super::MAGMA;

/// Most pixels along time: beyond it frames are put together, keeping the loudest.
const MOST_COLUMNS: usize = 640;
/// Most pixels along frequency.
const MOST_ROWS: usize = 320;
/// Steps from black to the brightest colour: no more than the eye tells apart, since noise in finer
/// ones takes most of a file.
const SHADES: f32 = 63.0;
/// Pixels of an importance picture along each axis: it is smooth and scaled up where it is shown.
const IMPORTANCE_SIDE: usize = 96;
/// Colour of importance: vermillion, seen by all and found in no grey.
const IMPORTANCE_INK: [u8; 3] = [240, 110, 20];

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// There is nothing to draw.
    #[error(
        "a picture of {frames} frames and {bins} bins was asked for, expected at least one of each"
    )]
    Empty {
        /// Frames given.
        frames: usize,
        /// Bins given.
        bins: usize,
    },
    /// The picture and what is laid over it differ in shape.
    #[error("importance of {} x {} over a spectrogram of {} x {}", found.0, found.1, expected.0, expected.1)]
    Shape {
        /// Frames and bins of the importance.
        found: (usize, usize),
        /// Frames and bins of the spectrogram.
        expected: (usize, usize),
    },
    /// The encoder refused.
    #[error("cannot encode a picture")]
    Encode {
        /// The cause.
        #[from]
        source: png::EncodingError,
    },
}

/// The range of levels that a picture shows, black to pale yellow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Level shown black.
    pub low_db: f32,
    /// Level shown brightest.
    pub high_db: f32,
}

impl Levels {
    /// A range for one or several spectrograms that are to be compared: from the 30th percentile
    /// of all levels to the 99.9th, at least 20 dB.
    pub fn around(levels_db: &[ArrayView2<f32>]) -> Self {
        let all = levels_db.iter().flat_map(|l| l.iter()).filter(|l| l.is_finite());
        let all = Sorted::new(all.map(|&level| f64::from(level)));
        let ends = all.quantile_below(0.3).zip(all.quantile_below(0.999));
        let Some((low, high)) = ends else { return Self { low_db: -80.0, high_db: 0.0 } };
        let (low, high) = (low as f32, high as f32);
        Self { low_db: low.min(high - 20.0), high_db: high }
    }

    fn place(self, level_db: f32) -> f32 {
        let span = (self.high_db - self.low_db).max(f32::MIN_POSITIVE);
        if level_db.is_finite() { ((level_db - self.low_db) / span).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// A spectrogram as an indexed PNG, time to the right, frequency upwards.
///
/// # Shapes
/// `levels_db`: `[frames, bins]`, in dB.
///
/// # Errors
/// [`PictureError::Empty`] without frames or bins.
pub fn spectrogram_png(levels_db: ArrayView2<f32>, range: Levels) -> Result<Vec<u8>, PictureError> {
    let levels = shrunk(levels_db, MOST_COLUMNS, MOST_ROWS, f32::max)?;
    let shade = |level: &f32| (range.place(*level) * SHADES).round() * (255.0 / SHADES);
    let image = upright(levels.view(), |level| shade(level).round() as u8);
    let (width, height) = (levels.nrows() as u32, levels.ncols() as u32);
    encode(width, height, ColorType::Indexed, Some((MAGMA.palette(), None)), &image)
}

/// Importance as a PNG with transparency, to be laid over the spectrogram of the same extent:
/// nothing where it does not raise the score, strongest at its maximum.
///
/// # Shapes
/// `importance`: `[frames, bins]`.
///
/// # Errors
/// [`PictureError::Empty`] without frames or bins.
pub fn importance_png(importance: ArrayView2<f32>) -> Result<Vec<u8>, PictureError> {
    let shrunk = shrunk(importance, IMPORTANCE_SIDE, IMPORTANCE_SIDE, f32::max)?;
    let opacity = opacity(shrunk.view());
    let image = upright(opacity.view(), |&share| (share * 255.0).round() as u8);
    let palette = IMPORTANCE_INK.repeat(256);
    let alpha = (0..=255).collect();
    let (width, height) = (opacity.nrows() as u32, opacity.ncols() as u32);
    encode(width, height, ColorType::Indexed, Some((palette, Some(alpha))), &image)
}

/// A spectrogram in grey with its importance in colour, as one picture.
///
/// # Shapes
/// Both `[frames, bins]`.
///
/// # Errors
/// [`PictureError::Shape`] when the shapes differ, [`PictureError::Empty`] without frames or bins.
pub fn overlaid_png(
    levels_db: ArrayView2<f32>,
    range: Levels,
    importance: ArrayView2<f32>,
) -> Result<Vec<u8>, PictureError> {
    if importance.dim() != levels_db.dim() {
        return Err(PictureError::Shape { found: importance.dim(), expected: levels_db.dim() });
    }
    let levels = shrunk(levels_db, MOST_COLUMNS, MOST_ROWS, f32::max)?;
    let importance = shrunk(importance, MOST_COLUMNS, MOST_ROWS, f32::max)?;
    let opacity = opacity(importance.view());
    let mixed = ndarray::Zip::from(&levels).and(&opacity).map_collect(|&level, &share| {
        let grey = 255.0 * range.place(level);
        IMPORTANCE_INK.map(|ink| (grey + share * (f32::from(ink) - grey)).round() as u8)
    });
    let pixels: Vec<u8> = upright(mixed.view(), |&pixel| pixel).into_iter().flatten().collect();
    encode_rgb(levels.nrows() as u32, levels.ncols() as u32, &pixels)
}

/// How much colour each place gets: nothing below a quarter of the maximum, then rising.
fn opacity(importance: ArrayView2<f32>) -> Array2<f32> {
    let peak = importance.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    importance.mapv(|value| 0.7 * ((value / peak - 0.25) / 0.75).clamp(0.0, 1.0))
}

/// Fewer frames and bins, neighbours put together.
fn shrunk(
    values: ArrayView2<f32>,
    most_frames: usize,
    most_bins: usize,
    together: fn(f32, f32) -> f32,
) -> Result<Array2<f32>, PictureError> {
    let (frames, bins) = values.dim();
    if frames == 0 || bins == 0 {
        return Err(PictureError::Empty { frames, bins });
    }
    let (rows, columns) = (frames.min(most_frames), bins.min(most_bins));
    let range = |index: usize, count: usize, length: usize| {
        index * length / count..(index + 1) * length / count
    };
    Ok(Array2::from_shape_fn((rows, columns), |(row, column)| {
        let part = values.slice(s![range(row, rows, frames), range(column, columns, bins)]);
        part.iter().copied().reduce(together).unwrap_or(0.0)
    }))
}

/// Pixels line by line from the top: time to the right, frequency upwards.
fn upright<T, P>(values: ArrayView2<T>, pixel: impl Fn(&T) -> P) -> Vec<P> {
    let lines = values.axis_iter(Axis(1)).rev();
    lines.flat_map(|line| line.iter().map(&pixel).collect::<Vec<_>>()).collect()
}

pub(crate) fn encode_rgb(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, PictureError> {
    encode(width, height, ColorType::Rgb, None, rgb)
}

/// Colours, and opacities where there are any.
type Palette = (Vec<u8>, Option<Vec<u8>>);

fn encode(
    width: u32,
    height: u32,
    color: ColorType,
    palette: Option<Palette>,
    pixels: &[u8],
) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    if let Some((colors, opacities)) = palette {
        encoder.set_palette(colors);
        if let Some(opacities) = opacities {
            encoder.set_trns(opacities);
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
