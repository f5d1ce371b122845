//! Levels in decibels relative to full scale.

/// Power below which a level is not told apart from silence: -200 dB.
const LEAST_POWER: f64 = 1e-20;

/// Decibels of a power ratio; at least -200 dB.
pub fn power_db(power: f64) -> f64 {
    10.0 * (power + LEAST_POWER).log10()
}

/// Decibels of an amplitude ratio; negative infinity at zero.
pub fn amplitude_db(amplitude: f32) -> f32 {
    20.0 * amplitude.log10()
}

/// The power ratio of a level in decibels.
pub fn db_to_power(level_db: f64) -> f64 {
    10.0_f64.powf(level_db / 10.0)
}

/// Root mean square around the mean, in decibels relative to full scale: what is heard, without a
/// constant offset. -200 dB for silence and for no samples.
pub fn rms_db(samples: &[f32]) -> f32 {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let power = samples.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    power_db(power) as f32
}

/// Level of the sample farthest from `mean`, in decibels relative to full scale; negative infinity
/// where there is none.
pub fn peak_db(samples: impl IntoIterator<Item = f32>, mean: f32) -> f32 {
    amplitude_db(samples.into_iter().map(|sample| (sample - mean).abs()).fold(0.0, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_a_square_wave_are_its_amplitude_whatever_its_offset() {
        for (amplitude, level) in [(1.0_f32, 0.0), (0.1, -20.0), (0.01, -40.0)] {
            for offset in [0.0, 0.5] {
                let wave = [offset + amplitude, offset - amplitude].repeat(50);
                assert!((rms_db(&wave) - level).abs() < 1e-3, "{amplitude} {offset}");
                assert!((peak_db(wave, offset) - level).abs() < 1e-3, "{amplitude} {offset}");
            }
        }
        assert!((rms_db(&[]) + 200.0).abs() < 1e-3);
        assert!(peak_db([], 0.0).is_infinite());
        assert!((db_to_power(power_db(0.25)) - 0.25).abs() < 1e-12);
    }
}
