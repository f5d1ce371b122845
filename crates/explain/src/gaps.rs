//! Gaps: moments at which a clip is quieter than normal clips ever are, or quiet for longer. Masks cannot
//! find those, since hiding what is not there changes nothing.

use std::fmt;

use ndarray::{ArrayView2, Axis};
use offkey_core::stats::Sorted;
use offkey_report::rise::Extent;
use serde::{Deserialize, Serialize};

/// A gap lies this far below the quietest frame of the normal clips.
const BELOW_DB: f32 = 6.0;
/// Fewest frames of a gap: a tenth of a second of the usual spectrogram.
const FEWEST_FRAMES: usize = 3;
/// Below this mean level nothing was recorded at all.
const SILENCE_DB: f32 = -100.0;
/// A machine works in strokes if its loud moments lie this far above its quiet ones.
const STROKES_DB: f64 = 10.0;
/// A pause is a gap if it is longer than this many times the longest pause of normal clips, and longer
/// than that by [`FEWEST_FRAMES`].
const LONGER: f64 = 3.0;

/// A time in which a clip is quieter than normal clips ever are, or quiet for longer.
///
/// ```
/// use offkey_explain::Gap;
///
/// let gap = Gap { from_s: 2.4, to_s: 7.8, below_normal_db: None, normal_pause_s: Some(0.9) };
/// assert!(gap.to_string().contains("no stroke for 5.4 s"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// When it begins.
    pub from_s: f64,
    /// When it ends.
    pub to_s: f64,
    /// How far it lies below the mean level of normal clips; none where it is silent.
    pub below_normal_db: Option<f64>,
    /// The longest pause of normal clips, of a machine that works in strokes; none where the clip is
    /// quieter than normal clips ever are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal_pause_s: Option<f64>,
}

impl fmt::Display for Gap {
    /// As in `3.0-6.1 s, all bands: silent; what is missing carries no mark`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}-{:.1} s, all bands: ", self.from_s, self.to_s)?;
        match (self.normal_pause_s, self.below_normal_db) {
            (Some(longest), level) => {
                let lasting = self.to_s - self.from_s;
                let silent = if level.is_none() { "silent, " } else { "" };
                write!(
                    f,
                    "{silent}no stroke for {lasting:.1} s; normal clips pause for {longest:.1} s at most"
                )?;
            }
            (None, Some(level)) => {
                write!(f, "{level:.0} dB below normal, quieter than normal clips ever are")?;
            }
            (None, None) => f.write_str("silent")?,
        }
        f.write_str("; what is missing carries no mark")
    }
}

/// How a machine that works in strokes pauses between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Strokes {
    /// Frames below this level belong to a pause.
    border_db: f32,
    /// Frames of the longest pause of normal clips.
    longest: usize,
}

impl Strokes {
    /// From the level of each frame of normal clips; none where loud and quiet moments are not told apart.
    pub(crate) fn of(normal: &[Vec<f32>]) -> Option<Self> {
        let levels = Sorted::new(normal.iter().flatten().map(|level| f64::from(*level)));
        let (quiet, loud) = (levels.quantile(0.25)?, levels.quantile(0.98)?);
        if loud - quiet < STROKES_DB {
            return None;
        }
        let border_db = f64::midpoint(quiet, loud) as f32;
        let longest =
            normal.iter().flat_map(|clip| pauses(clip, border_db)).map(|(_, frames)| frames);
        Some(Self { border_db, longest: longest.max()? })
    }

    /// Begin and length, in frames, of the pauses that are longer than normal ones.
    fn missed(self, frames: &[f32]) -> Vec<(usize, usize)> {
        let least = (LONGER * self.longest as f64).max((self.longest + FEWEST_FRAMES) as f64);
        let pauses = pauses(frames, self.border_db).into_iter();
        pauses.filter(|(_, length)| *length as f64 > least).collect()
    }
}

/// Begin and length of the times below a level.
fn pauses(frames: &[f32], border_db: f32) -> Vec<(usize, usize)> {
    let mut pauses = Vec::new();
    let mut begin = 0;
    for part in frames.chunk_by(|a, b| (*a < border_db) == (*b < border_db)) {
        if part[0] < border_db {
            pauses.push((begin, part.len()));
        }
        begin += part.len();
    }
    pauses
}

/// Mean level of each frame over all bins, in decibels.
pub(crate) fn loudness(levels_db: ArrayView2<f32>) -> Vec<f32> {
    levels_db.mean_axis(Axis(1)).map_or_else(Vec::new, |means| means.to_vec())
}

/// The gaps of a clip, given the mean level of normal clips, that of their quietest frame, and how a
/// machine of strokes pauses. A time that is a gap for both reasons is named once, as a pause.
pub(crate) fn gaps(
    levels_db: ArrayView2<f32>,
    extent: Extent,
    normal_db: f32,
    quietest_db: f32,
    strokes: Option<Strokes>,
) -> Vec<Gap> {
    let frames = loudness(levels_db);
    let time = |frame: usize| extent.duration_s * frame as f64 / frames.len() as f64;
    let gap = |begin: usize, length: usize, normal_pause_s| {
        let part = &frames[begin..begin + length];
        let level = part.iter().sum::<f32>() / length as f32;
        let below = (level > SILENCE_DB).then(|| f64::from(normal_db - level));
        let (from_s, to_s) = (time(begin), time(begin + length));
        Gap { from_s, to_s, below_normal_db: below, normal_pause_s }
    };
    let mut gaps: Vec<Gap> = Vec::new();
    if let Some(strokes) = strokes {
        let longest = Some(time(strokes.longest));
        let missed = strokes.missed(&frames).into_iter();
        gaps.extend(missed.map(|(begin, length)| gap(begin, length, longest)));
    }
    for (begin, length) in pauses(&frames, quietest_db - BELOW_DB) {
        let is_named = |gap: &Gap| gap.from_s < time(begin + length) && time(begin) < gap.to_s;
        if length >= FEWEST_FRAMES && !gaps.iter().any(is_named) {
            gaps.push(gap(begin, length, None));
        }
    }
    gaps.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    gaps
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;

    const EXTENT: Extent = Extent { duration_s: 10.0, low_hz: 0.0, high_hz: 8000.0 };

    #[test]
    fn a_gap_is_found_where_it_is_and_nothing_else_is() {
        let mut levels = Array2::from_elem((100, 20), -30.0_f32);
        levels.slice_mut(s![20..40, ..]).fill(-60.0);
        levels.slice_mut(s![70..80, ..]).fill(-120.0);
        levels.slice_mut(s![90..92, ..]).fill(-120.0);
        let words: Vec<String> = gaps(levels.view(), EXTENT, -30.0, -40.0, None)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            words,
            [
                "2.0-4.0 s, all bands: 30 dB below normal, quieter than normal clips ever are; what is missing \
                 carries no mark",
                "7.0-8.0 s, all bands: silent; what is missing carries no mark",
            ]
        );
    }

    #[test]
    fn a_machine_that_pauses_has_no_gaps() {
        let levels = Array2::from_elem((100, 20), -60.0_f32);
        assert!(gaps(levels.view(), EXTENT, -30.0, -62.0, None).is_empty());
        assert!(gaps(Array2::zeros((0, 20)).view(), EXTENT, -30.0, -62.0, None).is_empty());
    }

    /// Strokes of two frames every ten, in a clip of a hundred.
    fn valve(missed: std::ops::Range<usize>) -> Array2<f32> {
        let is_stroke = |frame: usize| frame % 10 < 2 && !missed.contains(&frame);
        Array2::from_shape_fn((100, 20), |(frame, _)| if is_stroke(frame) { -30.0 } else { -60.0 })
    }

    #[test]
    fn a_stroke_that_is_missed_is_a_gap_though_the_pause_is_no_quieter_than_others() {
        let normal = vec![loudness(valve(0..0).view()); 3];
        let strokes = Strokes::of(&normal);
        let of = |clip: Array2<f32>| gaps(clip.view(), EXTENT, -54.0, -60.0, strokes);
        assert!(of(valve(0..0)).is_empty(), "every stroke is there");
        let words: Vec<String> = of(valve(22..76)).iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "2.2-8.0 s, all bands: no stroke for 5.8 s; normal clips pause for 0.8 s at most; what is missing \
                 carries no mark"
            ]
        );
        let mut silent = valve(22..76);
        silent.slice_mut(s![24..78, ..]).fill(-120.0);
        let found = of(silent);
        assert_eq!(found.len(), 1, "named once: {found:?}");
    }

    #[test]
    fn a_machine_that_runs_evenly_has_no_strokes() {
        let even: Vec<f32> = (0..100).map(|frame| -40.0 + (frame % 5) as f32).collect();
        assert_eq!(Strokes::of(&[even]), None);
        assert_eq!(Strokes::of(&[]), None);
    }
}
