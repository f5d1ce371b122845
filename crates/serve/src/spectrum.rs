//! A coarse picture of sound, four times a second: enough to see how a machine sounds, too coarse to
//! understand a word. Pages draw it live, and it can be kept instead of sound.

use std::{collections::VecDeque, f32::consts::TAU};

use serde::{Deserialize, Serialize};

/// Bands of a picture, evenly spaced by octaves.
pub const BANDS: usize = 48;
/// Lowest frequency shown.
pub const LOW_HZ: f32 = 40.0;
/// Level of zero, in decibels relative to full scale.
pub const ZERO_DB: f32 = -120.0;

/// Samples of one Fourier transform.
const FRAME: usize = 2048;

/// Levels of all bands, low to high, in decibels above [`ZERO_DB`].
pub type Bands = [u8; BANDS];

/// A picture as it is kept instead of sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// When it begins, in milliseconds since 1970.
    pub begins_ms: i64,
    /// When it ends.
    pub ends_ms: i64,
    /// Lowest frequency.
    pub low_hz: f32,
    /// Highest frequency.
    pub high_hz: f32,
    /// Columns, oldest first; levels low to high, in decibels above -120 dB.
    pub columns: Vec<Vec<u8>>,
}

/// The bands of a stretch of sound: the mean power of its frames.
pub fn bands(samples: &[f32], rate_hz: u32) -> Bands {
    let frames = samples.len().div_ceil(FRAME).max(1);
    let mut power = vec![0.0_f32; FRAME / 2];
    for frame in 0..frames {
        // The last frame overlaps the one before rather than end in silence.
        let start = (frame * FRAME).min(samples.len().saturating_sub(FRAME));
        let part = &samples[start..samples.len().min(start + FRAME)];
        let mut windowed = vec![0.0; FRAME];
        for (index, (to, &from)) in windowed.iter_mut().zip(part).enumerate() {
            *to = from * (0.5 - 0.5 * (TAU * index as f32 / FRAME as f32).cos());
        }
        for (sum, bin) in power.iter_mut().zip(offkey_signal::spectrum(&windowed)) {
            *sum += bin * bin / frames as f32;
        }
    }
    let high_hz = rate_hz as f32 / 2.0;
    let bin_of = |band: usize| {
        let hz = LOW_HZ * (high_hz / LOW_HZ).powf(band as f32 / BANDS as f32);
        ((hz / rate_hz as f32 * FRAME as f32) as usize).min(power.len() - 1)
    };
    // A sine at full scale has a quarter of the frame's length as its magnitude.
    let full = (FRAME as f32 / 4.0).powi(2);
    std::array::from_fn(|band| {
        let (low, high) = (bin_of(band), bin_of(band + 1));
        let most = power[low..high.max(low + 1)].iter().fold(0.0_f32, |most, bin| most.max(*bin));
        let level_db = 10.0 * (most / full).max(f32::MIN_POSITIVE).log10();
        (level_db - ZERO_DB).clamp(0.0, -ZERO_DB).round() as u8
    })
}

/// The pictures of the last seconds.
#[derive(Debug, Default)]
pub struct Album {
    columns: VecDeque<(i64, Bands)>,
    rate_hz: u32,
}

impl Album {
    /// Takes in a column that ends at a time, and keeps those that end within `longest_ms` before it.
    pub fn take(&mut self, bands: Bands, rate_hz: u32, ends_ms: i64, longest_ms: u64) {
        self.rate_hz = rate_hz;
        self.columns.push_back((ends_ms, bands));
        let first_ms = ends_ms.saturating_sub_unsigned(longest_ms);
        // A clock that was set back must not make the album grow.
        self.columns.retain(|(ends, _)| (first_ms..=ends_ms).contains(ends));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.columns = VecDeque::new();
    }

    /// The picture from a time on, as far back as it is kept.
    pub fn since(&self, from_ms: i64) -> Picture {
        let shown: Vec<&(i64, Bands)> =
            self.columns.iter().filter(|(ends_ms, _)| *ends_ms > from_ms).collect();
        Picture {
            begins_ms: shown.first().map_or(from_ms, |column| column.0),
            ends_ms: shown.last().map_or(from_ms, |column| column.0),
            low_hz: LOW_HZ,
            high_hz: self.rate_hz as f32 / 2.0,
            columns: shown.into_iter().map(|(_, bands)| bands.to_vec()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f32, amplitude: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|index| amplitude * (TAU * hz * index as f32 / 16_000.0).sin()).collect()
    }

    #[test]
    fn a_tone_is_in_its_band_with_its_level() {
        let found = bands(&sine(1000.0, 0.1, 4000), 16_000);
        let loudest = (0..BANDS).max_by_key(|&band| found[band]).expect("bands");
        let hz = |band: usize| LOW_HZ * (8000.0 / LOW_HZ).powf(band as f32 / BANDS as f32);
        assert!((hz(loudest)..hz(loudest + 1)).contains(&1000.0), "{loudest}");
        // 0.1 is 20 dB below full scale; a frame sees a tone between two bins up to 1.5 dB less.
        assert!((98..=100).contains(&found[loudest]), "{}", found[loudest]);
        assert_eq!(bands(&[], 16_000), [0; BANDS]);
        assert_eq!(bands(&[0.0; 100], 8000), [0; BANDS]);
    }

    #[test]
    fn an_album_is_bounded_in_time_whatever_the_clock_does() {
        let mut album = Album::default();
        for step in 0..1000_i64 {
            album.take([1; BANDS], 16_000, 250 * step, 5000);
        }
        assert_eq!(album.since(i64::MIN).columns.len(), 21);
        assert_eq!(album.since(248_750).columns.len(), 4);
        for step in 0..1000_i64 {
            album.take([1; BANDS], 16_000, 250 * step - 1_000_000, 5000);
        }
        assert_eq!(album.since(i64::MIN).columns.len(), 21);
    }
}
