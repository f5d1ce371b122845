//! The last seconds of a machine's sound, so that the clip of an alarm begins before the alarm. It is kept
//! as 16-bit samples, as clips are, and holds no more than a clip can need.

use std::collections::VecDeque;

/// The last seconds of sound.
#[derive(Debug, Default)]
pub(super) struct Roll {
    samples: VecDeque<i16>,
    rate_hz: u32,
    ends_ms: i64,
}

const FULL_SCALE: f32 = 32_768.0;

impl Roll {
    /// Takes in sound that ends at a time, and keeps `longest_ms` of the latest.
    pub(super) fn take(&mut self, sound: &[f32], rate_hz: u32, ends_ms: i64, longest_ms: u64) {
        if rate_hz != self.rate_hz {
            self.samples.clear();
        }
        let most = (u64::from(rate_hz) * longest_ms / 1000) as usize;
        let sound = &sound[sound.len().saturating_sub(most)..];
        let excess = (self.samples.len() + sound.len()).saturating_sub(most);
        self.samples.drain(..excess.min(self.samples.len()));
        if self.samples.capacity() > most + most / 4 {
            // After a change of the configuration, or of the rate.
            self.samples.shrink_to(most);
        }
        // Grown to what is needed once, not doubled along the way.
        let missing = (self.samples.len() + sound.len()).min(most) - self.samples.len();
        if self.samples.capacity() < self.samples.len() + missing {
            self.samples.reserve_exact(most - self.samples.len());
        }
        self.samples.extend(sound.iter().map(|&sample| level(sample)));
        self.rate_hz = rate_hz;
        self.ends_ms = ends_ms;
    }

    /// Rate of the sound.
    pub(super) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Sound from a time on, as far back as it is kept, and when it begins.
    pub(super) fn since(&self, from_ms: i64) -> (Vec<f32>, i64) {
        let rate = i64::from(self.rate_hz);
        let wanted = ((self.ends_ms - from_ms).max(0) * rate / 1000).unsigned_abs() as usize;
        let skip = self.samples.len().saturating_sub(wanted);
        let sound: Vec<f32> =
            self.samples.iter().skip(skip).map(|&level| f32::from(level) / FULL_SCALE).collect();
        let length_ms = 1000 * sound.len().cast_signed() as i64 / rate.max(1);
        (sound, self.ends_ms - length_ms)
    }
}

/// A sample as a clip stores it.
fn level(sample: f32) -> i16 {
    (sample * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_latest_and_never_more_memory_than_that() {
        let mut roll = Roll::default();
        for second in 0..100_u16 {
            roll.take(&vec![f32::from(second) / 100.0; 1000], 1000, i64::from(second) * 1000, 7000);
        }
        let (sound, begins_ms) = roll.since(0);
        assert_eq!((sound.len(), begins_ms), (7000, 92_000));
        assert!((sound[0] - 0.93).abs() < 1e-4 && (sound[6999] - 0.99).abs() < 1e-4);
        assert!(roll.samples.capacity() <= 7000 + 7000 / 4, "{}", roll.samples.capacity());
        let (sound, begins_ms) = roll.since(98_000);
        assert_eq!((sound.len(), begins_ms), (1000, 98_000));
    }

    #[test]
    fn another_rate_or_length_leaves_nothing_old_behind() {
        let mut roll = Roll::default();
        roll.take(&vec![0.5; 90_000], 1000, 90_000, 60_000);
        roll.take(&vec![0.5; 3000], 1000, 93_000, 2000);
        assert_eq!(roll.since(0).0.len(), 2000);
        assert!(roll.samples.capacity() < 3000, "{}", roll.samples.capacity());
        roll.take(&vec![0.25; 800], 800, 94_000, 2000);
        assert_eq!(roll.since(0), (vec![0.25; 800], 93_000));
    }
}
