//! Spectra of a window summed up over time: what needs no training and hears most of one machine.

use ndarray::Array2;
use offkey_signal::{FeatureError, LogMel};
use serde::{Deserialize, Serialize};

/// How the frames of a log-mel spectrogram become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Mean level of each band.
    Mean,
    /// Mean level of each band, then the standard deviation of its level over time.
    MeanDeviation,
    /// Level of each band in its loudest frames: frames sorted from loud to soft, each weighs half of
    /// the one before. Hears what is short.
    Loudest,
}

/// Each frame's weight relative to the next louder one.
const RATIO: f64 = 0.5;
/// Frames behind this place weigh less than a float can tell.
const MOST_WEIGHED: usize = 48;

impl Pooling {
    /// All of them: the members of the fusion that is learned by default.
    pub const ALL: [Self; 3] = [Self::Mean, Self::MeanDeviation, Self::Loudest];

    /// What a member is called that listens so.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean spectrum",
            Self::MeanDeviation => "spectrum and its variation",
            Self::Loudest => "loudest moments",
        }
    }

    /// The vector of a log-mel spectrogram, `[frames, bands]`.
    pub fn of(self, log_mel: &Array2<f32>) -> Vec<f32> {
        match self {
            Self::Mean => means(log_mel),
            Self::MeanDeviation => {
                let mut vector = means(log_mel);
                let deviations: Vec<f32> = deviations(log_mel, &vector);
                vector.extend(deviations);
                vector
            }
            Self::Loudest => loudest(log_mel),
        }
    }
}

/// The log-mel spectrogram that members and the profile listen to: 128 bands, frames of 1024 samples
/// every 512, in decibels.
///
/// # Errors
/// [`FeatureError`] when the window is shorter than one frame.
pub(crate) fn log_mel(rate_hz: u32, window: &[f32]) -> Result<Array2<f32>, FeatureError> {
    LogMel { rate_hz, ..LogMel::default() }.log_mel(window)
}

fn means(log_mel: &Array2<f32>) -> Vec<f32> {
    let frames = log_mel.nrows() as f64;
    let mean =
        |band: ndarray::ArrayView1<f32>| band.iter().map(|&x| f64::from(x)).sum::<f64>() / frames;
    log_mel.columns().into_iter().map(|band| mean(band) as f32).collect()
}

fn deviations(log_mel: &Array2<f32>, means: &[f32]) -> Vec<f32> {
    let frames = log_mel.nrows() as f64;
    let bands = log_mel.columns().into_iter().zip(means);
    bands
        .map(|(band, &mean)| {
            let squares =
                band.iter().map(|&x| (f64::from(x) - f64::from(mean)).powi(2)).sum::<f64>();
            (squares / frames).sqrt() as f32
        })
        .collect()
}

fn loudest(log_mel: &Array2<f32>) -> Vec<f32> {
    let weighed = log_mel.nrows().min(MOST_WEIGHED);
    let weights: Vec<f64> = (0..weighed).map(|place| RATIO.powi(place as i32)).collect();
    let total: f64 = weights.iter().sum();
    let pooled = |band: ndarray::ArrayView1<f32>| {
        let mut levels = band.to_vec();
        levels.sort_by(|a, b| b.total_cmp(a));
        let sum: f64 = levels.iter().zip(&weights).map(|(&x, weight)| f64::from(x) * weight).sum();
        (sum / total) as f32
    };
    log_mel.columns().into_iter().map(pooled).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn poolings_are_as_defined() {
        let log_mel = array![[1.0, 4.0], [3.0, 4.0], [5.0, 4.0], [-1.0, 4.0]];
        assert_eq!(Pooling::Mean.of(&log_mel), [2.0, 4.0]);
        let deviation = 5.0_f32.sqrt();
        assert_eq!(Pooling::MeanDeviation.of(&log_mel), [2.0, 4.0, deviation, 0.0]);
        let expected = (5.0 + 0.5 * 3.0 + 0.25 * 1.0 - 0.125) / 1.875;
        let found = Pooling::Loudest.of(&log_mel);
        assert!((found[0] - expected).abs() < 1e-6 && (found[1] - 4.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_short_blow_is_heard_by_the_loudest_moments_alone() {
        let mut log_mel = Array2::from_elem((300, 1), -60.0);
        let still = Pooling::ALL.map(|pooling| pooling.of(&log_mel)[0]);
        log_mel[[100, 0]] = -20.0;
        let [mean, _, loudest] = Pooling::ALL.map(|pooling| pooling.of(&log_mel)[0]);
        assert!(mean - still[0] < 0.2 && loudest - still[2] > 15.0);
    }
}
