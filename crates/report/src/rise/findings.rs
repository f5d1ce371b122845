//! From importance to words: when, which band, how far above normal.

use std::fmt;

use ndarray::{Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::importance::{Importance, Region};

/// What the axes of an explained spectrogram stand for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Length of the clip.
    pub duration_s: f64,
    /// Frequency of the first bin.
    pub low_hz: f64,
    /// Frequency just above the last bin.
    pub high_hz: f64,
}

/// One place that raises the score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Where it is.
    pub region: Region,
    /// When it begins and ends.
    pub from_s: f64,
    /// When it ends.
    pub to_s: f64,
    /// Lower edge of its band.
    pub low_hz: f64,
    /// Upper edge of its band.
    pub high_hz: f64,
    /// Whether it lasts the whole clip.
    pub throughout: bool,
    /// Share of all positive importance.
    pub share: f64,
    /// Mean level above normal, where a normal level is known.
    pub above_normal_db: Option<f64>,
    /// The one frequency that stands out most from normal while the place lasts, where a normal
    /// level is known.
    pub loudest: Option<Loudest>,
}

/// The frequency of a place that stands out most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loudest {
    /// Its frequency.
    pub frequency_hz: f64,
    /// Its level above normal, the mean over the place's time.
    pub above_normal_db: f64,
}

/// A single frequency is named where it stands out this much more than its band: well above the
/// chance maximum of a few dozen noisy bins.
const STANDS_OUT_DB: f64 = 6.0;

/// The places of largest importance, the weightiest first: connected areas above half the
/// maximum that hold at least a tenth of the weight of all such areas.
///
/// `above_normal_db` is the clip's level minus the level of normal clips of its machine.
///
/// # Shapes
/// `above_normal_db`: `[frames, bins]`, as the importance.
///
/// # Panics
/// When the shapes differ.
pub fn findings(
    importance: &Importance,
    extent: Extent,
    above_normal_db: Option<ArrayView2<f32>>,
    most: usize,
) -> Vec<Finding> {
    let values = &importance.values;
    if let Some(levels) = &above_normal_db {
        assert_eq!(levels.dim(), values.dim(), "levels and importance differ in shape");
    }
    let peak = values.iter().copied().fold(0.0, f32::max);
    if peak <= 0.0 {
        return Vec::new();
    }
    let mut areas = connected(values, 0.5 * peak);
    areas.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let all: f64 = areas.iter().map(|area| area.weight).sum();
    let weighty = areas.into_iter().filter(|area| area.weight >= 0.1 * all).take(most);
    weighty
        .map(|area| {
            let Region { frames, bins } = area.region.clone();
            let (count_frames, count_bins) = values.dim();
            let time = |frame: usize| extent.duration_s * frame as f64 / count_frames as f64;
            let frequency = |bin: usize| {
                extent.low_hz + (extent.high_hz - extent.low_hz) * bin as f64 / count_bins as f64
            };
            // Mean over time of each bin of the place.
            let of_bins = above_normal_db.as_ref().map(|levels| {
                let inside = levels.slice(s![frames.clone(), bins.clone()]);
                inside.mapv(f64::from).mean_axis(Axis(0)).expect("a place has a frame")
            });
            let loudest = of_bins.as_ref().map(|levels| {
                let (bin, &above_normal_db) = levels
                    .indexed_iter()
                    .max_by(|a, b| a.1.total_cmp(b.1))
                    .expect("a place has a bin");
                let bin_hz = (extent.high_hz - extent.low_hz) / count_bins as f64;
                let frequency_hz = frequency(bins.start + bin) + 0.5 * bin_hz;
                Loudest { frequency_hz, above_normal_db }
            });
            Finding {
                from_s: time(frames.start),
                to_s: time(frames.end),
                low_hz: frequency(bins.start),
                high_hz: frequency(bins.end),
                throughout: frames.len() == count_frames,
                share: importance.share_inside(&area.region),
                above_normal_db: of_bins.and_then(|levels| levels.mean()),
                loudest,
                region: area.region,
            }
        })
        .collect()
}

impl fmt::Display for Finding {
    /// As in `3.2-4.1 s, 2400-3100 Hz: 3 dB above normal, 17 dB above at 2650 Hz`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.throughout {
            f.write_str("throughout, ")?;
        } else {
            write!(f, "{:.1}-{:.1} s, ", self.from_s, self.to_s)?;
        }
        let step = if self.high_hz - self.low_hz < 300.0 { 10.0 } else { 100.0 };
        let low = (self.low_hz / step).floor() * step;
        let high = ((self.high_hz / step).ceil() * step).max(low + step);
        write!(f, "{low:.0}-{high:.0} Hz")?;
        match self.above_normal_db {
            Some(level) if level.abs() < 0.5 => f.write_str(": as loud as normal")?,
            Some(level) if level > 0.0 => write!(f, ": {level:.0} dB above normal")?,
            Some(level) => write!(f, ": {:.0} dB below normal", -level)?,
            None => {}
        }
        match (self.above_normal_db, self.loudest) {
            (Some(mean), Some(Loudest { frequency_hz, above_normal_db: level }))
                if level - mean >= STANDS_OUT_DB && level > 0.0 =>
            {
                let frequency_hz = (frequency_hz / 10.0).round() * 10.0;
                write!(f, ", {level:.0} dB above at {frequency_hz:.0} Hz")
            }
            _ => Ok(()),
        }
    }
}

/// A connected area: its bounding box and its summed importance.
struct Area {
    region: Region,
    weight: f64,
}

/// Areas of neighbouring values of at least `least`, in reading order.
fn connected(values: &Array2<f32>, least: f32) -> Vec<Area> {
    let (frames, bins) = values.dim();
    let mut seen = Array2::from_elem(values.dim(), false);
    let mut areas = Vec::new();
    for start in ndarray::indices(values.dim()) {
        if seen[start] || values[start] < least {
            continue;
        }
        let region = Region { frames: start.0..start.0 + 1, bins: start.1..start.1 + 1 };
        let mut area = Area { region, weight: 0.0 };
        let mut open = vec![start];
        seen[start] = true;
        while let Some((frame, bin)) = open.pop() {
            area.weight += f64::from(values[(frame, bin)]);
            let Region { frames: rows, bins: columns } = &mut area.region;
            *rows = rows.start.min(frame)..rows.end.max(frame + 1);
            *columns = columns.start.min(bin)..columns.end.max(bin + 1);
            let beside = [
                (frame.wrapping_sub(1), bin),
                (frame + 1, bin),
                (frame, bin.wrapping_sub(1)),
                (frame, bin + 1),
            ];
            for next in beside.into_iter().filter(|next| next.0 < frames && next.1 < bins) {
                if !seen[next] && values[next] >= least {
                    seen[next] = true;
                    open.push(next);
                }
            }
        }
        areas.push(area);
    }
    areas
}
