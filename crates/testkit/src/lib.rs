//! A machine that makes noise, and models of it, for tests: small, quick, and the same every time.
//!
//! Only tests and fuzz targets use this crate.

use ndarray::{Array2, ArrayView1};
use offkey_core::Seed;
use offkey_infer::pooled::{PooledConfig, Pooling, Spectrogram};
use offkey_monitor::{
    Heard, HeardWindow, MemberCard, Model, ModelCard, Monitor, MonitorCard, Profile, RecordingCard,
    Role, WindowRule,
};
use offkey_score::{BackendConfig, Rule};
use offkey_signal::{ChannelRule, Codec, FloorRule, LogMel};

/// Rate of the recordings, but where a test says otherwise.
pub const RATE_HZ: u32 = 16_000;

/// Noise of a machine, another stretch for every seed.
pub fn noise(seed: u64, samples: usize) -> Vec<f32> {
    // A generator that starts from a small number is almost silent at first.
    let mut state = Seed::new(seed).child("noise").value() | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        0.1 * (state as f32 / u64::MAX as f32 - 0.5)
    };
    std::iter::repeat_with(next).take(samples).collect()
}

/// The same with a tone that the machine does not make.
pub fn strange(seed: u64, samples: usize) -> Vec<f32> {
    let step = std::f32::consts::TAU * 3100.0 / RATE_HZ as f32;
    let tone = (0..).map(|index| 0.1 * (index as f32 * step).sin());
    noise(seed, samples).into_iter().zip(tone).map(|(x, t)| x + t).collect()
}

/// What a test's model of the noise is like: one window a recording, one recording after another.
#[expect(missing_debug_implementations, reason = "a network has none")]
pub struct NoiseModel {
    /// Rate in hertz.
    pub rate_hz: u32,
    /// Samples of a window; the next one begins where it ends.
    pub window: usize,
    /// Recordings that it learned from.
    pub recordings: u64,
    /// How many of them it keeps the sound of.
    pub sounds: u64,
    /// Its only member, as the file describes it and as it is run.
    pub member: (ModelCard, Model),
    /// The name of the member's backend.
    pub backend: &'static str,
    /// The false alarms wished for, as a user writes them.
    pub wished: Option<&'static str>,
}

impl NoiseModel {
    /// A mean log-mel spectrum with the fusion's backend.
    pub fn new(window: usize, recordings: u64) -> Self {
        let log_mel = LogMel { floor_rule: FloorRule::Add, ..LogMel::default() };
        let spectrogram = Spectrogram::LogMel(log_mel);
        let config = PooledConfig { spectrogram, pooling: Pooling::Mean };
        Self {
            rate_hz: RATE_HZ,
            window,
            recordings,
            sounds: 0,
            member: (ModelCard::Pooled(config.clone()), Model::Pooled(config)),
            backend: "shrunk-mahalanobis",
            wished: None,
        }
    }

    /// Learns the model.
    ///
    /// # Panics
    /// Where the settings make no model: a test that wants none of these should see why.
    pub fn learn(self) -> Monitor {
        let Self { rate_hz, window, member: (model_card, model), .. } = self;
        let windows =
            WindowRule { channel: ChannelRule::Mix, rate_hz, samples: window, hop: window };
        let models = vec![model];
        let mut heard = Heard::default();
        let mut recordings = Vec::new();
        let mut sounds = Array2::zeros((0, window));
        for number in 0..self.recordings {
            let wave = noise(100 + number, window);
            heard.push(HeardWindow::of(&models, windows, &wave).expect("long enough"));
            if number < self.sounds {
                sounds.push_row(ArrayView1::from(&wave)).expect("one length");
            }
            recordings.push(RecordingCard {
                path: format!("{number}.wav"),
                group: number.to_string(),
                content: number.to_string(),
                starts: vec![0],
                role: Role::Calibration,
                entry: 0,
                codec: Some(Codec::Integer(16)),
                sound: None,
            });
        }
        let profile = Profile::new(rate_hz, &heard.levels, heard.spectra.iter().map(Vec::as_slice));
        let card = MonitorCard {
            name: "noise".to_owned(),
            version: "test".to_owned(),
            seed: 1,
            recipe: "test".to_owned(),
            windows,
            rates_hz: vec![rate_hz],
            explanation: String::new(),
            members: vec![MemberCard {
                name: "member".to_owned(),
                model: model_card,
                backend: BackendConfig::from_name(self.backend).expect("its name"),
            }],
            rule: Rule::Max,
            wished: self.wished.map(|wished| wished.parse().expect("a rate")),
            profile,
            recordings,
            journal: Vec::new(),
        };
        Monitor::new(card, heard, models, sounds).expect("enough recordings")
    }
}
