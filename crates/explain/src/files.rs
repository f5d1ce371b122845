//! An explanation as files: pictures, numbers, and the sheet that shows them together.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ndarray::{Array2, ArrayView2, s};
use offkey_core::{FileError, files, table::to_csv};
use offkey_report::{
    chart::{ExplainedClip, Levels, LineChart, Series, overlaid_png, spectrogram_png, write_chart},
    page::Picture,
    rise::Extent,
};
use serde::Serialize;

use crate::{
    cause::{Cause, NormalLevels, SpectrumCause},
    error::ExplainError,
    explanation::{Explanation, Judged},
    words::sentences,
};

/// Places of `importance.csv` along each axis, at most: importance is smooth.
const MOST_PLACES: usize = 64;

/// A row of `importance.csv`: one place of the spectrogram.
#[derive(Debug, Serialize)]
struct PlaceRow {
    from_s: f64,
    to_s: f64,
    low_hz: f64,
    high_hz: f64,
    importance: f32,
    level_db: f32,
    above_normal_db: Option<f32>,
}

/// A row of `spectrum_importance.csv`: one band of the whole clip's spectrum.
#[derive(Debug, Serialize)]
struct BandRow {
    low_hz: f64,
    high_hz: f64,
    importance: f32,
    level_db: f32,
    above_normal_db: Option<f32>,
}

/// The folder of a clip: its name, numbered where another clip of that name has it already.
fn folder_of(root: &Path, path: &Path) -> PathBuf {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.filter(|stem| stem.chars().any(|c| c != '.')).unwrap_or("clip".to_owned());
    let is_free = |folder: &PathBuf| {
        let held: Result<Explanation, _> = files::read_json(&folder.join("explanation.json"));
        held.map_or(!folder.exists(), |held| held.path == path)
    };
    let numbered = (2..).map(|number| root.join(format!("{stem}_{number}")));
    std::iter::once(root.join(&stem)).chain(numbered).find(is_free).expect("numbers do not end")
}

/// Writes everything there is to see of a judged clip into a folder of `root` named for the clip. `nearest` are
/// the levels of the most similar normal recording, where it is still there.
///
/// # Errors
/// [`ExplainError`] when the clip is too short for a picture or a file cannot be written.
///
/// # Panics
/// Where the cause was not put to the test of insertion and deletion, see [`Question::tested`](crate::Question).
pub fn write(
    judged: Judged,
    cause: &Cause,
    normal: Option<&NormalLevels>,
    nearest: Option<Array2<f32>>,
    root: &Path,
) -> Result<Explanation, ExplainError> {
    let folder = folder_of(root, &judged.path);
    let explanation = explained(judged, cause, folder);
    let folder = &explanation.folder;
    fs::create_dir_all(folder).map_err(FileError::io(folder))?;
    let levels = cause.levels_db.view();
    let mut compared = vec![levels];
    compared.extend(nearest.iter().map(|levels| levels.view()));
    let range = Levels::around(&compared);
    let put = |name: &str, bytes: &[u8]| files::write_atomically(&folder.join(name), bytes);
    let plain = |levels: ArrayView2<f32>| spectrogram_png(levels, range);
    let marked = overlaid_png(levels, range, cause.importance.values.view())?;
    put("spectrogram.png", &plain(levels)?)?;
    put("importance.png", &marked)?;
    put("importance.csv", to_csv(&place_rows(cause, normal)).as_bytes())?;
    let grey =
        |levels: ArrayView2<f32>| overlaid_png(levels, range, Array2::zeros(levels.dim()).view());
    let picture = |png: Vec<u8>| {
        let Extent { duration_s, low_hz, high_hz } = cause.extent;
        Picture { png, duration_s, low_hz, high_hz }
    };
    let mut sheet = ExplainedClip {
        title: name(&explanation.path),
        subtitle: explanation.words[0].clone(),
        clip: picture(marked),
        marked: explanation.findings.clone(),
        nearest: None,
        spectrum: None,
        // The nearest clip is named above its picture.
        words: explanation.words[2..].to_vec(),
    };
    if let Some(levels) = &nearest {
        put("nearest.png", &plain(levels.view())?)?;
        sheet.nearest = Some((name(&explanation.nearest), picture(grey(levels.view())?)));
    }
    if let Some(spectrum) = &cause.spectrum {
        let chart = spectrum_chart(spectrum, cause.extent, explanation.score);
        write_chart(folder, "spectrum_importance", &chart).map_err(FileError::io(folder))?;
        put("spectrum_importance.csv", to_csv(&band_rows(spectrum, cause, normal)).as_bytes())?;
        sheet.spectrum = Some(chart);
    }
    put("explanation.svg", sheet.svg().as_bytes())?;
    files::write_json(&folder.join("explanation.json"), &explanation)?;
    Ok(explanation)
}

/// What was found of a judged clip, in numbers and sentences.
fn explained(judged: Judged, cause: &Cause, folder: PathBuf) -> Explanation {
    let faithfulness = cause.faithfulness.clone().expect("asked for");
    let spectrum = cause.spectrum.as_ref();
    let mut explanation = Explanation {
        path: judged.path,
        section: judged.section,
        score: judged.score,
        threshold: judged.threshold,
        nearest: judged.nearest,
        nearest_distance: judged.nearest_distance,
        findings: cause.findings.clone(),
        spectrum_findings: spectrum.map_or_else(Vec::new, |found| found.findings.clone()),
        gaps: cause.gaps.clone(),
        masks: cause.importance.masks,
        reliability: cause.importance.reliability,
        spectrum_reliability: spectrum.map(|found| found.importance.reliability),
        deletion_gain: faithfulness.deletion_gain(),
        insertion_gain: faithfulness.insertion_gain(),
        faithfulness,
        words: Vec::new(),
        folder,
    };
    explanation.words = sentences(&explanation);
    explanation
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn place_rows(cause: &Cause, normal: Option<&NormalLevels>) -> Vec<PlaceRow> {
    let Extent { duration_s, low_hz, high_hz } = cause.extent;
    let (frames, bins) = cause.levels_db.dim();
    let (rows, columns) = (frames.min(MOST_PLACES), bins.min(MOST_PLACES));
    let cut = |index: usize, count: usize, length: usize| {
        index * length / count..(index + 1) * length / count
    };
    let above = normal.map(|normal| normal.above(&cause.levels_db));
    let time = |frame: usize| duration_s * frame as f64 / frames as f64;
    let frequency = |bin: usize| low_hz + (high_hz - low_hz) * bin as f64 / bins as f64;
    let mut places = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let (f, b) = (cut(row, rows, frames), cut(column, columns, bins));
            let mean = |values: &Array2<f32>| {
                values.slice(s![f.clone(), b.clone()]).mean().expect("every place has a bin")
            };
            places.push(PlaceRow {
                from_s: time(f.start),
                to_s: time(f.end),
                low_hz: frequency(b.start),
                high_hz: frequency(b.end),
                importance: mean(&cause.importance.values),
                level_db: mean(&cause.levels_db),
                above_normal_db: above.as_ref().map(mean),
            });
        }
    }
    places
}

fn band_rows(
    spectrum: &SpectrumCause,
    cause: &Cause,
    normal: Option<&NormalLevels>,
) -> Vec<BandRow> {
    let bands = spectrum.levels_db.len();
    let above = normal.and_then(|normal| normal.above_in_spectrum(spectrum));
    let frequency = |band: usize| cause.extent.high_hz * band as f64 / bands as f64;
    let row = |band: usize| BandRow {
        low_hz: frequency(band),
        high_hz: frequency(band + 1),
        importance: spectrum.importance.values[(0, band)],
        level_db: spectrum.levels_db[band],
        above_normal_db: above.as_ref().map(|above| above[band]),
    };
    (0..bands).map(row).collect()
}

/// Importance over frequency, in percent of the clip's score.
fn spectrum_chart(spectrum: &SpectrumCause, extent: Extent, score: f64) -> LineChart {
    let bands = spectrum.importance.values.len();
    let frequency = |band: usize| extent.high_hz * (band as f64 + 0.5) / bands as f64;
    let percent = 100.0 / score.abs().max(f64::MIN_POSITIVE);
    let values = spectrum.importance.values.iter().enumerate();
    let point = |(band, value): (usize, &f32)| [frequency(band), percent * f64::from(*value)];
    let series = Series { name: "importance".to_owned(), points: values.map(point).collect() };
    LineChart::lines(
        "spectrum of the whole clip: what raises the score",
        "frequency (Hz)",
        "% of the score",
        vec![series],
    )
}
