//! Embeddings without training: what a spectrogram's bins do on average, standardised.
//!
//! The baselines every trained encoder has to beat: cheap, and hard to beat on some machines.

use std::{fs, path::Path};

use ndarray::Array2;
use offkey_core::Seed;
use offkey_signal::{LogMel, Stft, mean_and_deviation, time_statistics};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use crate::error::StatisticsError;
use crate::{
    ClipSource, ModelError,
    weights::{damaged, io_error, write_atomically},
};

const STATISTICS_FILE: &str = "statistics.json";

/// Which spectrogram is summed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatisticsConfig {
    /// Log-mel spectrogram.
    LogMel(LogMel),
    /// Linear magnitude spectrogram.
    Spectrogram(Stft),
}

/// Standardised statistics, fitted to training clips.
///
/// An embedding holds every bin's mean over time, then every bin's standard deviation over time,
/// each minus its mean over the training clips and divided by its deviation over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    config: StatisticsConfig,
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl StatisticsConfig {
    /// Fits to all clips of a source. Its clips may differ in length.
    ///
    /// # Errors
    /// [`StatisticsError`] when there are no clips or one of them cannot be used.
    pub fn fit(&self, source: &dyn ClipSource, seed: Seed) -> Result<Statistics, StatisticsError> {
        if source.is_empty() {
            return Err(StatisticsError::NoClips);
        }
        let of_clip = |clip: usize| {
            let wave = source
                .wave(clip, seed.child(clip))
                .map_err(|source| StatisticsError::Source { clip, source })?;
            self.describe(clip, &wave)
        };
        let rows: Vec<_> = (0..source.len()).into_par_iter().map(of_clip).collect();
        let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (mean, deviation) = mean_and_deviation(stack(rows).view());
        Ok(Statistics { config: self.clone(), mean, deviation })
    }

    /// Statistics that are not standardised: mean and deviation of every bin as they are.
    pub fn unscaled(&self) -> Statistics {
        let dims = 2 * self.bands();
        Statistics { config: self.clone(), mean: vec![0.0; dims], deviation: vec![1.0; dims] }
    }

    /// Bins of a frame.
    fn bands(&self) -> usize {
        match self {
            Self::LogMel(log_mel) => log_mel.mels,
            Self::Spectrogram(stft) => stft.bins(),
        }
    }

    /// Mean and standard deviation over time of every bin of one clip.
    fn describe(&self, clip: usize, wave: &[f32]) -> Result<Vec<f32>, StatisticsError> {
        let spectrogram = match self {
            Self::LogMel(log_mel) => log_mel.log_mel(wave),
            Self::Spectrogram(stft) => stft.magnitude(wave),
        };
        let spectrogram =
            spectrogram.map_err(|source| StatisticsError::Feature { clip, source })?;
        Ok(time_statistics(spectrogram.view()))
    }
}

impl Statistics {
    /// Embeddings, `[clips, 2 * bins]`, of clips of any length.
    ///
    /// # Errors
    /// [`StatisticsError::Feature`] when a clip is too short.
    pub fn embed(&self, waves: &[Vec<f32>]) -> Result<Array2<f32>, StatisticsError> {
        let of_clip = |(clip, wave): (usize, &Vec<f32>)| self.config.describe(clip, wave);
        let rows: Vec<_> = waves.par_iter().enumerate().map(of_clip).collect();
        let mut table = stack(rows.into_iter().collect::<Result<Vec<_>, _>>()?);
        for mut row in table.rows_mut() {
            for ((value, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                // A bin that never changes in training says nothing about other clips.
                *value = if *deviation > 0.0 { (*value - mean) / deviation } else { 0.0 };
            }
        }
        Ok(table)
    }

    /// Whether its numbers fit its spectrogram.
    pub fn is_sound(&self) -> bool {
        let values = self.mean.iter().chain(&self.deviation);
        self.mean.len() == self.deviation.len()
            && self.config.bands().checked_mul(2) == Some(self.mean.len())
            && values.copied().all(f32::is_finite)
    }

    /// Which spectrogram is summed up.
    pub fn config(&self) -> &StatisticsConfig {
        &self.config
    }

    /// Length of an embedding.
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// Mean and deviation of every number of an embedding over the training clips.
    pub fn scaling(&self) -> (&[f32], &[f32]) {
        (&self.mean, &self.deviation)
    }

    /// Writes `statistics.json` into a model folder, which is made if absent.
    ///
    /// # Errors
    /// [`ModelError::Io`] when it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        let path = folder.join(STATISTICS_FILE);
        let text = serde_json::to_vec(self).map_err(|error| damaged(&path, &error))?;
        write_atomically(&path, &text)
    }

    /// Reads what [`Statistics::save`] wrote.
    ///
    /// # Errors
    /// [`ModelError`] when the file is absent or damaged.
    pub fn load(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(STATISTICS_FILE);
        let text = fs::read(&path).map_err(io_error(&path))?;
        let read: Self = serde_json::from_slice(&text).map_err(|error| damaged(&path, &error))?;
        if read.mean.len() != read.deviation.len() {
            let (means, deviations) = (read.mean.len(), read.deviation.len());
            return Err(damaged(&path, &format!("{means} means but {deviations} deviations")));
        }
        Ok(read)
    }
}

fn stack(rows: Vec<Vec<f32>>) -> Array2<f32> {
    let shape = (rows.len(), rows.first().map_or(0, Vec::len));
    Array2::from_shape_vec(shape, rows.concat()).expect("every clip has the same bins")
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use rand::RngExt;

    use super::*;
    use crate::SourceError;

    struct Noise(Vec<Vec<f32>>);

    impl ClipSource for Noise {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn wave(&self, index: usize, _seed: Seed) -> Result<Vec<f32>, SourceError> {
            Ok(self.0[index].clone())
        }
    }

    fn noise(clips: usize) -> Noise {
        let clip = |index: usize| {
            let mut rng = Seed::new(4).child(index).rng();
            (0..3000 + 100 * index).map(|_| rng.random_range(-1.0..1.0)).collect()
        };
        Noise((0..clips).map(clip).collect())
    }

    fn configs() -> [StatisticsConfig; 2] {
        let mel = LogMel { window: 256, fft: 256, hop: 128, mels: 16, ..LogMel::default() };
        [
            StatisticsConfig::LogMel(mel),
            StatisticsConfig::Spectrogram(Stft { window: 256, hop: 128 }),
        ]
    }

    #[test]
    fn training_clips_come_out_standardised() {
        let source = noise(9);
        for config in configs() {
            let fitted = config.fit(&source, Seed::new(0)).expect("nine clips of noise");
            let embedded = fitted.embed(&source.0).expect("the clips just fitted to");
            assert_eq!(embedded.dim(), (9, fitted.dims()));
            let (means, deviations) = mean_and_deviation(embedded.view());
            for (mean, deviation) in means.iter().zip(deviations) {
                assert_abs_diff_eq!(*mean, 0.0, epsilon = 1e-5);
                assert_abs_diff_eq!(deviation, 1.0, epsilon = 1e-5);
            }
        }
    }

    #[test]
    fn a_saved_fit_embeds_to_the_same_bits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = noise(5);
        for config in configs() {
            let fitted = config.fit(&source, Seed::new(0)).expect("five clips of noise");
            fitted.save(folder.path()).expect("an empty folder");
            let loaded = Statistics::load(folder.path()).expect("the file just written");
            assert_eq!(loaded.embed(&source.0).ok(), fitted.embed(&source.0).ok());
        }
    }

    #[test]
    fn no_clips_and_short_clips_are_errors() {
        let [config, _] = configs();
        assert!(matches!(config.fit(&noise(0), Seed::new(0)), Err(StatisticsError::NoClips)));
        let short = Noise(vec![vec![0.0; 10]]);
        let error = config.fit(&short, Seed::new(0));
        assert!(matches!(error, Err(StatisticsError::Feature { clip: 0, .. })));
    }
}
