//! Spectra against scipy and librosa, against a slow obvious transform, and against themselves.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::f64::consts::TAU;

use ndarray::{Array2, s};
use offkey_signal::{
    FeatureError, FramePadding, LogMel, LogScale, Stft, spectrum, spectrum_batch, spectrum_into,
    subtract_temporal_mean,
};
use proptest::prelude::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../testdata/golden/features.json")).unwrap()
}

/// The formula of `testdata/golden/features.py`.
fn clip(samples: usize) -> Vec<f32> {
    (0..samples)
        .map(|n| n as f64)
        .map(|n| 0.5 * (0.17 * n).sin() + 0.25 * (1.1 * n + 1.0).sin() + 0.1 * (1e-4 * n * n).sin())
        .map(|sample| sample as f32)
        .collect()
}

fn count(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap() as usize
}

fn numbers(case: &Value, key: &str) -> Vec<f64> {
    case[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn assert_close(
    found: impl IntoIterator<Item = f32>,
    expected: &[f64],
    tolerance: f64,
    name: &str,
) {
    let found: Vec<f32> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= tolerance, "{name}[{index}]: {found} instead of {expected}");
    }
}

#[test]
fn spectra_agree_with_scipy() {
    for case in golden()["spectra"].as_array().unwrap() {
        let samples = count(case, "samples");
        let found = spectrum(&clip(samples));
        assert_eq!(found.len(), samples / 2);
        let peak = found.iter().copied().fold(0.0, f32::max);
        // Single precision: rounding errors grow with the logarithm of the length, relative to
        // the strongest line.
        let tolerance = 1e-6 * f64::from(peak);
        let picked = found.into_iter().step_by(count(case, "step"));
        assert_close(picked, &numbers(case, "bins"), tolerance, &format!("spectrum {samples}"));
    }
}

#[test]
fn short_time_spectra_agree_with_scipy() {
    for case in golden()["stfts"].as_array().unwrap() {
        let stft = Stft { window: count(case, "window"), hop: count(case, "hop") };
        let found = stft.magnitude(&clip(count(case, "samples"))).unwrap();
        assert_eq!(vec![found.nrows(), found.ncols()], shape(case));
        let picked = found.slice(s![..;count(case, "frame_step"), ..;count(case, "bin_step")]);
        // Largest values are near window / 8 = 128; single precision leaves 1e-6 of that.
        assert_close(picked.iter().copied(), &numbers(case, "values"), 1e-4, &format!("{stft:?}"));
    }
}

#[test]
fn log_mel_spectrograms_agree_with_librosa() {
    for case in golden()["mels"].as_array().unwrap() {
        let mel: LogMel = serde_json::from_value(case["settings"].clone()).unwrap();
        let found = mel.log_mel(&clip(count(case, "samples"))).unwrap();
        assert_eq!(vec![found.nrows(), found.ncols()], shape(case));
        // Bands 100 dB below the strongest hold the rounding noise of single precision.
        let floor = if mel.scale == LogScale::Ln { -16.0 } else { -70.0 };
        let picked =
            found.slice(s![..;count(case, "frame_step"), ..]).mapv(|x| x.max(floor as f32));
        let expected: Vec<f64> = numbers(case, "values").iter().map(|x| x.max(floor)).collect();
        assert_close(picked, &expected, 0.02, &format!("{mel:?}"));
    }
}

fn shape(case: &Value) -> Vec<usize> {
    numbers(case, "shape").into_iter().map(|n| n as usize).collect()
}

/// The transform as its definition reads.
fn slow_spectrum(samples: &[f32]) -> Vec<f32> {
    let length = samples.len();
    (0..length / 2)
        .map(|bin| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in samples.iter().enumerate() {
                let angle = TAU * ((bin * n) % length) as f64 / length as f64;
                re += f64::from(*sample) * angle.cos();
                im -= f64::from(*sample) * angle.sin();
            }
            re.hypot(im) as f32
        })
        .collect()
}

fn noise(samples: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0_f32..1.0, samples)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fast_spectrum_equals_the_slow_one_at_any_length(samples in (2_usize..300).prop_flat_map(noise)) {
        for (fast, slow) in spectrum(&samples).iter().zip(slow_spectrum(&samples)) {
            prop_assert!((fast - slow).abs() < 1e-4, "{fast} {slow}");
        }
    }

    #[test]
    fn energy_is_the_same_in_time_and_frequency(samples in (64_usize..2000).prop_flat_map(noise)) {
        let length = samples.len() as f64;
        let bins = spectrum(&samples);
        let mut energy: f64 = bins.iter().skip(1).map(|bin| 2.0 * f64::from(*bin).powi(2)).sum();
        energy += f64::from(bins[0]).powi(2);
        if samples.len() % 2 == 0 {
            let nyquist: f64 = samples.chunks_exact(2).map(|p| f64::from(p[0] - p[1])).sum();
            energy += nyquist.powi(2);
        } else {
            let last = slow_last_bin(&samples);
            energy += 2.0 * last * last;
        }
        let in_time: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        prop_assert!((energy / length / in_time - 1.0).abs() < 1e-5);
    }

    #[test]
    fn doubling_a_clip_doubles_its_spectra(samples in noise(3000)) {
        let double: Vec<f32> = samples.iter().map(|sample| 2.0 * sample).collect();
        let stft = Stft { window: 256, hop: 100 };
        prop_assert_eq!(stft.magnitude(&samples).unwrap() * 2.0, stft.magnitude(&double).unwrap());
        let doubled: Vec<f32> = spectrum(&samples).iter().map(|bin| 2.0 * bin).collect();
        prop_assert_eq!(doubled, spectrum(&double));
    }

    #[test]
    fn streams_give_the_bits_of_the_batch(
        samples in noise(2500),
        cuts in prop::collection::vec(0_usize..2500, 0..12),
        window in 8_usize..300,
        hop in 1_usize..400,
        centred in any::<bool>(),
    ) {
        let stft = Stft { window, hop };
        let mut stream = stft.stream().unwrap();
        let pieces = pieces(&samples, cuts);
        let mut rows = Vec::new();
        let frames: usize = pieces.iter().map(|piece| stream.push(piece, &mut rows)).sum();
        let batch = stft.magnitude(&samples).unwrap();
        prop_assert_eq!(frames, batch.nrows());
        prop_assert_eq!(&rows, batch.as_slice().unwrap());

        let padding = if centred { FramePadding::Centered } else { FramePadding::Valid };
        let mel = LogMel { window, fft: window + 20, hop, mels: 10, padding, ..LogMel::default() };
        let mut stream = mel.stream().unwrap();
        let mut rows = Vec::new();
        for piece in &pieces {
            stream.push(piece, &mut rows);
        }
        stream.finish(&mut rows);
        let batch = mel.log_mel(&samples).unwrap();
        prop_assert_eq!(&rows, batch.as_slice().unwrap());
    }
}

/// Bin `(length - 1) / 2` of an odd length, which the spectrum leaves out.
fn slow_last_bin(samples: &[f32]) -> f64 {
    let bin = samples.len() / 2;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = TAU * ((bin * n) % samples.len()) as f64 / samples.len() as f64;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    re.hypot(im)
}

fn pieces(samples: &[f32], mut cuts: Vec<usize>) -> Vec<&[f32]> {
    cuts.extend([0, samples.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &samples[pair[0]..pair[1]]).collect()
}

#[test]
fn the_papers_shapes_come_out() {
    let stft = Stft::default();
    assert_eq!((stft.frames(160_000), stft.bins()), (311, 513));
    assert_eq!((stft.frames(288_000), stft.frames(1023), stft.frames(1024)), (561, 0, 1));
    assert_eq!(spectrum(&vec![0.0; 160_000]).len(), 80_000);
}

#[test]
fn batches_equal_single_clips() {
    let clips: Vec<Vec<f32>> = [2000, 3000, 2500].map(clip).to_vec();
    let slices: Vec<&[f32]> = clips.iter().map(Vec::as_slice).collect();
    let (stft, mel) = (Stft::default(), LogMel::default());
    for (index, samples) in clips.iter().enumerate() {
        assert_eq!(stft.magnitude_batch(&slices).unwrap()[index], stft.magnitude(samples).unwrap());
        assert_eq!(mel.log_mel_batch(&slices).unwrap()[index], mel.log_mel(samples).unwrap());
        assert_eq!(spectrum_batch(&slices)[index], spectrum(samples));
    }
}

#[test]
fn the_temporal_mean_of_every_bin_is_taken_out() {
    let mut spectrogram =
        Array2::from_shape_fn((7, 5), |(frame, bin)| (frame * frame + 10 * bin) as f32);
    subtract_temporal_mean(spectrogram.view_mut());
    for column in spectrogram.columns() {
        assert!(column.sum().abs() < 1e-4);
        assert!((column[1] - column[0] - 1.0).abs() < 1e-6);
    }
}

#[test]
fn what_cannot_be_computed_is_an_error() {
    let stft = Stft::default();
    let short = FeatureError::TooShort { found: 1023, expected: 1024 };
    assert_eq!(stft.magnitude(&[0.0; 1023]).unwrap_err(), short);
    let buffer = FeatureError::BufferLength { found: 3, expected: 513 };
    assert_eq!(stft.magnitude_into(&[0.0; 1024], &mut [0.0; 3]).unwrap_err(), buffer);
    assert!(Stft { window: 0, hop: 1 }.magnitude(&[0.0]).is_err());
    assert!(Stft { window: 1, hop: 0 }.stream().is_err());
    assert!(spectrum_into(&[0.0; 8], &mut [0.0; 5]).is_err());
    assert!(spectrum(&[]).is_empty() && spectrum(&[1.0]).is_empty());
    assert!(LogMel::default().log_mel(&[0.0; 100]).is_err());
    let wrong = [
        LogMel { mels: 0, ..LogMel::default() },
        LogMel { fft: 512, ..LogMel::default() },
        LogMel { fmin_hz: 9_000.0, ..LogMel::default() },
        LogMel { fmax_hz: Some(8_001.0), ..LogMel::default() },
        LogMel { floor: 0.0, ..LogMel::default() },
        LogMel { rate_hz: 0, ..LogMel::default() },
    ];
    for settings in wrong {
        let error = settings.log_mel(&[0.0; 4096]).unwrap_err();
        assert!(matches!(error, FeatureError::Setting { .. }), "{error}");
    }
}

#[test]
fn silence_is_the_floor_and_settings_read_back() {
    let mel = LogMel { scale: LogScale::Db, ..LogMel::default() };
    assert!(mel.log_mel(&[0.0; 2048]).unwrap().iter().all(|level| (level + 100.0).abs() < 1e-4));
    let text = serde_json::to_string(&mel).unwrap();
    assert_eq!(serde_json::from_str::<LogMel>(&text).unwrap(), mel);
    assert!(serde_json::from_str::<Stft>(r#"{"window": 4, "hop": 2, "hopp": 2}"#).is_err());
}
