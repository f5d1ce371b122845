//! A machine that makes noise, and a small model of it, for tests.

use ndarray::Array2;
use offkey_core::Seed;
use offkey_infer::pooled::{PooledConfig, Pooling, Spectrogram};
use offkey_monitor::{
    Heard, HeardWindow, MemberCard, Model, ModelCard, Monitor, MonitorCard, Profile, RecordingCard,
    Role, WindowRule,
};
use offkey_score::{BackendConfig, Rule};
use offkey_signal::{ChannelRule, Codec, FloorRule, LogMel};

/// Rate of the recordings.
pub(crate) const RATE_HZ: u32 = 16_000;

/// Noise of a machine, another stretch for every seed.
pub(crate) fn noise(seed: u64, samples: usize) -> Vec<f32> {
    let mut state = Seed::new(seed).child("noise").value() | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        0.1 * (state as f32 / u64::MAX as f32 - 0.5)
    };
    std::iter::repeat_with(next).take(samples).collect()
}

/// A monitor of the noise with windows of so many samples.
pub(crate) fn monitor(samples: usize) -> Monitor {
    let windows = WindowRule { channel: ChannelRule::Mix, rate_hz: RATE_HZ, samples, hop: samples };
    let log_mel = LogMel { floor_rule: FloorRule::Add, ..LogMel::default() };
    let config = PooledConfig { spectrogram: Spectrogram::LogMel(log_mel), pooling: Pooling::Mean };
    let models = vec![Model::Pooled(config.clone())];
    let mut heard = Heard::default();
    let mut recordings = Vec::new();
    for number in 0..10 {
        let wave = noise(100 + number, samples);
        heard.push(HeardWindow::of(&models, windows, &wave).expect("long enough"));
        recordings.push(RecordingCard {
            path: format!("{number}.wav"),
            group: number.to_string(),
            content: number.to_string(),
            starts: vec![0],
            role: Role::Calibration,
            entry: 0,
            codec: Some(Codec::Integer(16)),
        });
    }
    let profile = Profile::new(RATE_HZ, &heard.levels, heard.spectra.iter().map(Vec::as_slice));
    let card = MonitorCard {
        name: "noise".to_owned(),
        version: "test".to_owned(),
        seed: 1,
        recipe: "test".to_owned(),
        windows,
        rates_hz: vec![RATE_HZ],
        explanation: String::new(),
        members: vec![MemberCard {
            name: "mean spectrum".to_owned(),
            model: ModelCard::Pooled(config),
            backend: BackendConfig::from_name("shrunk-mahalanobis").expect("its name"),
        }],
        rule: Rule::Max,
        wished: None,
        profile,
        recordings,
        journal: Vec::new(),
    };
    Monitor::new(card, heard, models, Array2::zeros((0, samples))).expect("ten recordings")
}
