//! Gaps: moments at which a clip is quieter than normal clips ever are. Masks cannot find those, since
//! hiding what is not there changes nothing.

use std::fmt;

use ndarray::{ArrayView2, Axis};
use offkey_report::rise::Extent;
use serde::{Deserialize, Serialize};

/// A gap lies this far below the quietest frame of the normal clips.
const BELOW_DB: f32 = 6.0;
/// Fewest frames of a gap: a tenth of a second of the usual spectrogram.
const FEWEST_FRAMES: usize = 3;
/// Below this mean level nothing was recorded at all.
const SILENCE_DB: f32 = -100.0;

/// A time in which a clip is quieter than normal clips ever are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// When it begins.
    pub from_s: f64,
    /// When it ends.
    pub to_s: f64,
    /// How far it lies below the mean level of normal clips; none where it is silent.
    pub below_normal_db: Option<f64>,
}

impl fmt::Display for Gap {
    /// As in `3.0-6.1 s, all bands: silent; what is missing carries no mark`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}-{:.1} s, all bands: ", self.from_s, self.to_s)?;
        match self.below_normal_db {
            Some(level) => {
                write!(f, "{level:.0} dB below normal, quieter than normal clips ever are")?;
            }
            None => f.write_str("silent")?,
        }
        f.write_str("; what is missing carries no mark")
    }
}

/// Mean level of each frame over all bins, in decibels.
pub(super) fn loudness(levels_db: ArrayView2<f32>) -> Vec<f32> {
    levels_db.mean_axis(Axis(1)).map_or_else(Vec::new, |means| means.to_vec())
}

/// The gaps of a clip, given the mean level of normal clips and that of their quietest frame.
pub(super) fn gaps(
    levels_db: ArrayView2<f32>,
    extent: Extent,
    normal_db: f32,
    quietest_db: f32,
) -> Vec<Gap> {
    let frames = loudness(levels_db);
    let time = |frame: usize| extent.duration_s * frame as f64 / frames.len() as f64;
    let mut gaps = Vec::new();
    let mut begin = 0;
    for part in frames.chunk_by(|a, b| is_gap(*a, quietest_db) == is_gap(*b, quietest_db)) {
        let end = begin + part.len();
        if is_gap(part[0], quietest_db) && part.len() >= FEWEST_FRAMES {
            let level = part.iter().sum::<f32>() / part.len() as f32;
            let below = (level > SILENCE_DB).then(|| f64::from(normal_db - level));
            gaps.push(Gap { from_s: time(begin), to_s: time(end), below_normal_db: below });
        }
        begin = end;
    }
    gaps
}

fn is_gap(level_db: f32, quietest_db: f32) -> bool {
    level_db < quietest_db - BELOW_DB
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
        let words: Vec<String> =
            gaps(levels.view(), EXTENT, -30.0, -40.0).iter().map(ToString::to_string).collect();
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
        assert!(gaps(levels.view(), EXTENT, -30.0, -62.0).is_empty());
        assert!(gaps(Array2::zeros((0, 20)).view(), EXTENT, -30.0, -62.0).is_empty());
    }
}
