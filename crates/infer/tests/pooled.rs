//! Pooled spectrograms against slow, obvious code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::{PI, TAU};

use offkey_core::Seed;
use offkey_infer::pooled::{
    Gwrp, PooledConfig, PooledError, Pooling, Rdp, Spectrogram, embed_pooled,
};
use offkey_signal::{LogMel, Stft};

/// Two tones and noise.
fn window(seed: u64, samples: usize) -> Vec<f32> {
    let seed = Seed::new(seed);
    (0..samples)
        .map(|i| {
            let t = i as f64 / 16_000.0;
            let noise = seed.child(i).value() as f64 / u64::MAX as f64 - 0.5;
            let tones = (TAU * 440.0 * t).sin() + 0.3 * (TAU * 3100.0 * t).sin() * (PI * t).sin();
            (0.2 * tones + 0.1 * noise) as f32
        })
        .collect()
}

/// `[frames][bins]` of power, by the sum that defines the transform.
fn powers(samples: &[f32], size: usize, hop: usize) -> Vec<Vec<f64>> {
    let hann = |i: usize| 0.5 - 0.5 * (TAU * i as f64 / size as f64).cos();
    let frames = (samples.len() - size) / hop + 1;
    let power = |frame: usize, bin: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        for i in 0..size {
            let value = f64::from(samples[frame * hop + i]) * hann(i);
            let angle = TAU * (bin * i % size) as f64 / size as f64;
            re += value * angle.cos();
            im -= value * angle.sin();
        }
        re * re + im * im
    };
    (0..frames).map(|frame| (0..=size / 2).map(|bin| power(frame, bin)).collect()).collect()
}

/// Slaney's scale, back and forth, as in the Auditory Toolbox.
fn hz(mel: f64) -> f64 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * 6.4_f64.powf((mel - 15.0) / 27.0) }
}

/// `[frames][bands]` in decibels, as one formula after the other.
fn log_mel(samples: &[f32]) -> Vec<Vec<f64>> {
    let top = 15.0 + 27.0 * 8.0_f64.ln() / 6.4_f64.ln();
    let edge = |i: usize| hz(top * i as f64 / 129.0);
    let band = |power: &[f64], band: usize| {
        let (low, centre, high) = (edge(band), edge(band + 1), edge(band + 2));
        let weight = |hz: f64| {
            let triangle = ((hz - low) / (centre - low)).min((high - hz) / (high - centre));
            triangle.max(0.0) * 2.0 / (high - low)
        };
        let energy: f64 =
            power.iter().enumerate().map(|(bin, p)| p * weight(bin as f64 * 15.625)).sum();
        10.0 * (energy + 1e-10).log10()
    };
    let frames = powers(samples, 1024, 512);
    frames.iter().map(|power| (0..128).map(|b| band(power, b)).collect()).collect()
}

fn assert_close(found: impl IntoIterator<Item = f32>, expected: &[f64], tolerance: f64) {
    let found: Vec<f32> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    for (band, (&found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(found) - expected).abs() < tolerance, "{band}: {found} {expected}");
    }
}

#[test]
fn log_mel_poolings_are_those_of_the_definition() {
    let samples = window(1, 3000);
    let frames = log_mel(&samples);
    let column = |band: usize| -> Vec<f64> { frames.iter().map(|frame| frame[band]).collect() };
    let each =
        |f: &dyn Fn(&[f64]) -> f64| -> Vec<f64> { (0..128).map(|b| f(&column(b))).collect() };
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let means = each(&mean);
    let deviations =
        each(&|x| (x.iter().map(|v| (v - mean(x)).powi(2)).sum::<f64>() / x.len() as f64).sqrt());
    let loud = each(&|x| {
        let mut sorted = x.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let weight = |i: usize| 0.5_f64.powf(i as f64);
        let total: f64 = (0..x.len()).map(weight).sum();
        sorted.iter().enumerate().map(|(i, v)| weight(i) * v).sum::<f64>() / total
    });
    let embed = |pooling| {
        PooledConfig { pooling, ..PooledConfig::default() }
            .embed(std::slice::from_ref(&samples))
            .unwrap()
    };
    // Single-precision transforms: a ten-thousandth of a decibel.
    assert_close(embed(Pooling::Mean), &means, 2e-4);
    let both: Vec<f64> = means.iter().chain(&deviations).copied().collect();
    assert_close(embed(Pooling::MeanDeviation), &both, 5e-4);
    assert_close(embed(Pooling::Gwrp(Gwrp::default())), &loud, 5e-4);
}

#[test]
fn linear_poolings_are_those_of_the_definition() {
    let samples = window(2, 1500);
    let stft = Stft { window: 256, hop: 128 };
    let frames = powers(&samples, 256, 128);
    let mean = |bin: usize| {
        frames.iter().map(|frame| frame[bin].sqrt()).sum::<f64>() / frames.len() as f64
    };
    let means: Vec<f64> = (0..129).map(mean).collect();
    let config = PooledConfig { spectrogram: Spectrogram::Linear(stft), pooling: Pooling::Mean };
    assert_eq!(config.dims(), 129);
    assert_close(config.embed(&[samples]).unwrap(), &means, 1e-4);
}

#[test]
fn members_of_a_group_are_what_they_are_alone() {
    let windows: Vec<Vec<f32>> = (0..5).map(|i| window(i, 4000)).collect();
    let linear = Spectrogram::Linear(Stft::default());
    let mut configs: Vec<PooledConfig> =
        [Pooling::Mean, Pooling::MeanDeviation, Pooling::Gwrp(Gwrp::default())]
            .map(|pooling| PooledConfig { pooling, ..PooledConfig::default() })
            .to_vec();
    configs.push(PooledConfig { spectrogram: linear, pooling: Pooling::Rdp(Rdp::default()) });
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| embed_pooled(&configs, &windows).unwrap())
    };
    let together = on(1);
    assert_eq!(together, on(3));
    for (config, together) in configs.iter().zip(together) {
        assert_eq!(config.embed(&windows).unwrap(), together);
        assert_eq!(together.dim(), (5, config.dims()));
        assert_eq!(config.embed(&windows[3..4]).unwrap().row(0), together.row(3));
    }
}

#[test]
fn settings_out_of_range_and_short_windows_are_refused() {
    let with = |log_mel: LogMel| PooledConfig {
        spectrogram: Spectrogram::LogMel(log_mel),
        pooling: Pooling::Mean,
    };
    for config in [
        with(LogMel { mels: 1_000_000_000, ..LogMel::default() }),
        with(LogMel { fft: usize::MAX, ..LogMel::default() }),
        with(LogMel { hop: 0, ..LogMel::default() }),
        PooledConfig {
            pooling: Pooling::Gwrp(Gwrp { r: 2.0, ..Gwrp::default() }),
            ..PooledConfig::default()
        },
    ] {
        assert!(config.check().is_err(), "{config:?}");
        assert!(config.embed(&[]).is_err(), "{config:?}");
    }
    let short = PooledConfig::default().embed(&[vec![0.0; 2000], vec![0.0; 1000]]);
    assert!(matches!(short, Err(PooledError::Feature { window: 1, .. })));
}

#[test]
fn a_config_comes_back_from_its_text() {
    let text = r#"{"pooling":{"gwrp":{"r":0.25}}}"#;
    let config: PooledConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config.pooling, Pooling::Gwrp(Gwrp { r: 0.25, ..Gwrp::default() }));
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<PooledConfig>(&written).unwrap(), config);
    assert!(serde_json::from_str::<PooledConfig>(r#"{"pooling":"median"}"#).is_err());
}
