//! A known fault, planted into any recording: the truth against which explanations and detection
//! limits are measured.

use offkey_core::Seed;
use offkey_signal::{Waveform, level::db_to_power};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::{
    noise::{mean_power, unit_power, white_noise},
    resonance::Resonator,
};

/// A fault that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlantedFault {
    /// Seven dull blows a second.
    Knock,
    /// A thin tone that drifts a little.
    Whine,
    /// Ninety sharp blows a second with 1 % of slip: a pitted race.
    Bearing,
    /// Irregular rattling.
    Looseness,
    /// The sound fades and comes back.
    Dropout,
    /// A steady hiss.
    Hiss,
}

impl PlantedFault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Knock, Self::Whine, Self::Bearing, Self::Looseness, Self::Dropout, Self::Hiss];

    /// The name, as `knock`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Knock => "knock",
            Self::Whine => "whine",
            Self::Bearing => "bearing",
            Self::Looseness => "looseness",
            Self::Dropout => "dropout",
            Self::Hiss => "hiss",
        }
    }

    /// The band that the fault fills, for a rate of 16 kHz or more.
    fn band_hz(self) -> (f32, f32) {
        match self {
            Self::Knock => (500.0, 1_100.0),
            Self::Whine => (2_000.0, 2_300.0),
            Self::Bearing => (2_800.0, 4_200.0),
            Self::Looseness => (900.0, 2_000.0),
            Self::Dropout => (0.0, f32::INFINITY),
            Self::Hiss => (4_500.0, 6_500.0),
        }
    }
}

/// A rectangle of time and frequency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Where it begins.
    pub start_s: f32,
    /// Where it ends.
    pub end_s: f32,
    /// Its lower edge.
    pub low_hz: f32,
    /// Its upper edge.
    pub high_hz: f32,
}

/// Plants a fault into a clip and returns where it lies.
///
/// The fault takes 30 % of the clip, at a place drawn from the seed. `snr_db` is the mean power of
/// the change (the clip after less the clip before) within that time, relative to the mean power
/// of the whole clip; a dropout can take away no more than all there is. A silent clip gets a
/// fault relative to -60 dB of full scale.
///
/// # Shapes
/// `wave` keeps its length.
///
/// Nine tenths of the planted energy lie inside the region; a test says so.
pub fn plant(wave: &mut Waveform, fault: PlantedFault, snr_db: f64, seed: Seed) -> Region {
    let mut rng = seed.child(fault.name()).rng();
    let samples = wave.samples.len();
    let length = samples * 3 / 10;
    let start = rng.random_range(0..=samples - length);
    let nyquist_hz = wave.rate_hz as f32 / 2.0;
    // At lower rates the whole picture shrinks with the band that is left.
    let shrink = (wave.rate_hz as f32 / 16_000.0).min(1.0);
    let (low_hz, high_hz) = fault.band_hz();
    let (low_hz, high_hz) = (low_hz * shrink, (high_hz * shrink).min(nyquist_hz));

    let power = match mean_power(&wave.samples) {
        0.0 => db_to_power(-60.0),
        power => power,
    };
    let target = power * db_to_power(snr_db);
    let part = &mut wave.samples[start..start + length];
    let mut change = match fault {
        PlantedFault::Dropout => part.iter().map(|sample| -sample).collect(),
        PlantedFault::Knock => {
            blows(7.0, 0.05, 0.04, (low_hz, high_hz), length, wave.rate_hz, seed)
        }
        PlantedFault::Bearing => {
            blows(90.0, 0.01, 0.02, (low_hz, high_hz), length, wave.rate_hz, seed)
        }
        PlantedFault::Looseness => {
            blows(25.0, 0.5, 0.03, (low_hz, high_hz), length, wave.rate_hz, seed)
        }
        PlantedFault::Whine => whine((low_hz, high_hz), length, wave.rate_hz),
        PlantedFault::Hiss => hiss((low_hz, high_hz), length, wave.rate_hz, seed),
    };
    fade(&mut change, wave.rate_hz);
    let gain = match (fault, mean_power(&change)) {
        (_, 0.0) => 0.0,
        (PlantedFault::Dropout, found) => (target / found).sqrt().min(1.0),
        (_, found) => (target / found).sqrt(),
    };
    for (sample, change) in part.iter_mut().zip(change) {
        *sample += gain as f32 * change;
    }
    let seconds = |sample: usize| sample as f32 / wave.rate_hz as f32;
    Region { start_s: seconds(start), end_s: seconds(start + length), low_hz, high_hz }
}

/// Blows that ring in the middle of a band; intervals vary by `slip`.
fn blows(
    hz: f32,
    slip: f32,
    damping: f32,
    (low_hz, high_hz): (f32, f32),
    samples: usize,
    rate_hz: u32,
    seed: Seed,
) -> Vec<f32> {
    let mut rng = seed.child("blows").rng();
    let mut forces = vec![0.0; samples];
    let mut place = 0.0;
    while (place as usize) < samples {
        forces[place as usize] = rng.random_range(0.7..1.0);
        place += rate_hz as f32 / hz * (1.0 + slip * rng.random_range(-1.0..1.0));
    }
    let mut mode = Resonator::new((low_hz * high_hz).sqrt(), damping, rate_hz);
    forces.into_iter().map(|force| mode.ring(force)).collect()
}

/// A tone that swings twice a second through the middle half of a band.
fn whine((low_hz, high_hz): (f32, f32), samples: usize, rate_hz: u32) -> Vec<f32> {
    let (centre, swing) = (f64::from(low_hz + high_hz) / 2.0, f64::from(high_hz - low_hz) / 4.0);
    let mut periods = 0.0_f64;
    (0..samples)
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz);
            let hz = centre + swing * (std::f64::consts::TAU * 2.0 * t).sin();
            periods += hz / f64::from(rate_hz);
            (std::f64::consts::TAU * periods.fract()).sin() as f32
        })
        .collect()
}

/// Noise through two equal resonances that leave 90 % of it in the band.
fn hiss((low_hz, high_hz): (f32, f32), samples: usize, rate_hz: u32, seed: Seed) -> Vec<f32> {
    let centre_hz = f32::midpoint(low_hz, high_hz);
    let damping = 0.2 * (high_hz - low_hz) / centre_hz;
    let mut stages = [(); 2].map(|()| Resonator::new(centre_hz, damping, rate_hz));
    let noise = white_noise(samples, seed.child("hiss"));
    unit_power(
        noise
            .into_iter()
            .map(|sample| stages.iter_mut().fold(sample, |sample, stage| stage.step(sample)))
            .collect(),
    )
}

/// Raised-cosine edges of 20 ms, so that the change has no click of its own.
fn fade(change: &mut [f32], rate_hz: u32) {
    let edge = (rate_hz as usize / 50).min(change.len() / 2);
    let last = change.len().saturating_sub(1);
    for n in 0..edge {
        let weight = 0.5 - 0.5 * (std::f32::consts::PI * (n as f32 + 0.5) / edge as f32).cos();
        change[n] *= weight;
        change[last - n] *= weight;
    }
}
