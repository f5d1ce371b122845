//! Laws of the autoencoder baseline, on hums in noise.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that goes wrong")]

use std::ops::ControlFlow;

use offkey_core::Seed;
use offkey_infer::{
    ClipSource, Compute, ModelError, SourceError,
    autoencoder::{Autoencoder, AutoencoderConfig, AutoencoderError},
};
use offkey_signal::LogMel;
use offkey_train::autoencoder::{AutoencoderJob, AutoencoderTrainError, train_autoencoder};
use rand::RngExt;

/// Clips of a hum of one pitch in noise.
struct Hums(usize);

impl ClipSource for Hums {
    fn len(&self) -> usize {
        self.0
    }

    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError> {
        Ok(hum(500.0, seed.child(index)))
    }
}

fn hum(pitch_hz: f32, seed: Seed) -> Vec<f32> {
    let mut rng = seed.rng();
    let angle = 2.0 * std::f32::consts::PI * pitch_hz / 16_000.0;
    (0..8000).map(|n| (angle * n as f32).sin() + rng.random_range(-0.1..0.1)).collect()
}

fn small() -> AutoencoderConfig {
    AutoencoderConfig {
        log_mel: LogMel { window: 256, fft: 256, hop: 128, mels: 16, ..LogMel::default() },
        frames: 3,
        hidden: 16,
        hidden_layers: 2,
        waist: 4,
        epochs: 30,
        batch_windows: 32,
        learning_rate: 2e-2,
    }
}

fn fit(
    config: &AutoencoderConfig,
    errors: &mut Vec<f64>,
) -> Result<Autoencoder, AutoencoderTrainError> {
    let job = AutoencoderJob {
        source: &Hums(6),
        is_target: &[false, false, false, false, true, true],
        config,
        seed: Seed::new(3),
        compute: Compute::default(),
    };
    train_autoencoder(&job, &mut |_, error| {
        errors.push(error);
        ControlFlow::Continue(())
    })
}

fn clips() -> Vec<Vec<f32>> {
    vec![hum(500.0, Seed::new(70)), hum(500.0, Seed::new(71)), hum(2900.0, Seed::new(72))]
}

#[test]
fn training_lowers_the_error_and_an_unknown_pitch_scores_higher() {
    let mut errors = Vec::new();
    let fitted = fit(&small(), &mut errors).unwrap();
    assert_eq!(errors.len(), 30);
    assert!(errors[29] < 0.5 * errors[0], "{errors:?}");
    let scores = fitted.score(&clips()).unwrap();
    let squared = scores.iter().map(|score| score.squared_error).collect::<Vec<_>>();
    let windowed = scores.iter().map(|score| score.windowed_mahalanobis).collect::<Vec<_>>();
    let official = scores.iter().map(|score| score.mahalanobis.unwrap()).collect::<Vec<_>>();
    for values in [squared, windowed, official] {
        assert!(values[2] > 1.5 * values[0].max(values[1]), "{values:?}");
    }
}

#[test]
fn the_same_seed_and_a_saved_model_give_the_same_scores() {
    let config = AutoencoderConfig { epochs: 2, ..small() };
    let fitted = fit(&config, &mut Vec::new()).unwrap();
    let scores = fitted.score(&clips()).unwrap();
    assert_eq!(fit(&config, &mut Vec::new()).unwrap().score(&clips()).unwrap(), scores);
    let folder = tempfile::tempdir().unwrap();
    fitted.save(folder.path()).unwrap();
    let loaded = Autoencoder::load(folder.path()).unwrap();
    assert_eq!(loaded.score(&clips()).unwrap(), scores);
    std::fs::write(folder.path().join("autoencoder.safetensors"), b"no").unwrap();
    let error = Autoencoder::load(folder.path()).unwrap_err();
    assert!(matches!(error, ModelError::Damaged { .. }));
}

#[test]
fn what_cannot_be_trained_is_said() {
    let no_frames = AutoencoderConfig { frames: 0, ..small() };
    let error = fit(&no_frames, &mut Vec::new()).unwrap_err();
    assert!(matches!(
        error,
        AutoencoderTrainError::Autoencoder(AutoencoderError::Setting { field: "frames" })
    ));
    let long_windows = AutoencoderConfig { frames: 100, ..small() };
    let error = fit(&long_windows, &mut Vec::new()).unwrap_err();
    assert!(matches!(
        error,
        AutoencoderTrainError::Autoencoder(AutoencoderError::TooShort {
            clip: 0,
            expected: 100,
            ..
        })
    ));
}
