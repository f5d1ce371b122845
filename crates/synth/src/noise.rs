//! Background noise, and mixing at a stated signal-to-noise ratio.

use std::f32::consts::TAU;

use offkey_core::Seed;
use offkey_signal::level::db_to_power;
use rand::{Rng, RngExt};

use crate::resonance::Resonator;

/// Gaussian noise with equal power at all frequencies, at a root mean square of 1.
pub fn white_noise(samples: usize, seed: Seed) -> Vec<f32> {
    let mut rng = seed.rng();
    let mut noise = Vec::with_capacity(samples + 1);
    while noise.len() < samples {
        // Box and Muller: a uniform angle, and a radius from the exponential law of power.
        let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        let (sin, cos) = (TAU * rng.random::<f32>()).sin_cos();
        noise.extend([radius * cos, radius * sin]);
    }
    noise.truncate(samples);
    unit_power(noise)
}

/// Noise with equal power in all octaves, at a root mean square of 1.
///
/// # Source
/// Kellet's sum of first-order low passes: within 0.05 dB of -3 dB an octave over the upper nine
/// octaves below half the rate.
pub fn pink_noise(samples: usize, seed: Seed) -> Vec<f32> {
    const POLES: [(f32, f32); 6] = [
        (0.998_86, 0.055_517_9),
        (0.993_32, 0.075_075_9),
        (0.969, 0.153_852),
        (0.866_5, 0.310_485_6),
        (0.55, 0.532_952_2),
        (-0.761_6, -0.016_898),
    ];
    let mut states = [0.0; POLES.len()];
    let mut delayed = 0.0;
    let mut noise = white_noise(samples, seed);
    for sample in &mut noise {
        let white = *sample;
        for (state, (pole, gain)) in states.iter_mut().zip(POLES) {
            *state = pole * *state + gain * white;
        }
        *sample = states.iter().sum::<f32>() + delayed + 0.536_2 * white;
        delayed = 0.115_926 * white;
    }
    unit_power(noise)
}

/// The background of a factory hall, at a root mean square of 1: pink rumble and air, the hum of
/// transformers, other machines in the distance, and now and then something falling or being hit.
pub fn factory_noise(samples: usize, rate_hz: u32, seed: Seed) -> Vec<f32> {
    let mut rng = seed.child("hall").rng();
    let mut noise = pink_noise(samples, seed.child("rumble"));
    colour(&mut noise, rate_hz, &mut rng);
    add_hum(&mut noise, rate_hz, &mut rng);
    add_distant_machines(&mut noise, rate_hz, &mut rng);
    add_strikes(&mut noise, rate_hz, &mut rng);
    unit_power(noise)
}

/// Halls differ in colour: a broad resonance anywhere, as strong as the rest.
fn colour(noise: &mut [f32], rate_hz: u32, rng: &mut impl Rng) {
    let centre_hz = log_uniform(rng, 150.0, 4_000.0);
    let mut resonator = Resonator::new(centre_hz, 0.35, rate_hz);
    let gain = rng.random_range(0.3..1.5);
    for sample in noise {
        *sample += gain * resonator.step(*sample);
    }
}

/// Mains hum: 100 Hz and two harmonics, as transformers have it.
fn add_hum(noise: &mut [f32], rate_hz: u32, rng: &mut impl Rng) {
    let level = rng.random_range(0.05..0.25);
    for (harmonic, share) in [(1.0, 1.0), (2.0, 0.5), (3.0, 0.25)] {
        let phase = rng.random_range(0.0..1.0);
        for (n, sample) in noise.iter_mut().enumerate() {
            *sample += level * share * sine(100.0 * harmonic, n, rate_hz, phase);
        }
    }
}

/// Two to four steady tones with slow beats.
fn add_distant_machines(noise: &mut [f32], rate_hz: u32, rng: &mut impl Rng) {
    for _ in 0..rng.random_range(2..5) {
        let hz = log_uniform(rng, 120.0, 3_000.0);
        let (level, beat_hz) = (rng.random_range(0.02..0.15), rng.random_range(0.1..1.5));
        let (tone_phase, beat_phase) = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
        for (n, sample) in noise.iter_mut().enumerate() {
            let beat = 1.0 + 0.5 * sine(beat_hz, n, rate_hz, beat_phase);
            *sample += level * beat * sine(hz, n, rate_hz, tone_phase);
        }
    }
}

/// On average one stroke in three seconds, each ringing in two modes.
fn add_strikes(noise: &mut [f32], rate_hz: u32, rng: &mut impl Rng) {
    let strokes = (noise.len() as f32 / rate_hz as f32 / 3.0).ceil() as usize;
    for _ in 0..strokes {
        let start = rng.random_range(0..noise.len().max(1));
        let level = rng.random_range(0.5..3.0);
        for _ in 0..2 {
            let mut mode = Resonator::new(log_uniform(rng, 300.0, 5_000.0), 0.02, rate_hz);
            let ringing = noise.iter_mut().skip(start).take(rate_hz as usize);
            for (n, sample) in ringing.enumerate() {
                *sample += mode.ring(if n == 0 { level } else { 0.0 });
            }
        }
    }
}

/// Adds noise to a clip so that the clip lies `snr_db` above it, both by mean power. The noise is
/// repeated where it is shorter. Where one of the two is silent the clip stays as it is.
pub fn mix_at_snr(clip: &[f32], noise: &[f32], snr_db: f64) -> Vec<f32> {
    mix_below_power(clip, noise, mean_power(clip), snr_db)
}

/// The clip with noise so many decibels below `power`, a mean square, whatever the clip's own; noise
/// that is shorter is repeated.
pub fn mix_below_power(clip: &[f32], noise: &[f32], power: f64, snr_db: f64) -> Vec<f32> {
    let noise_power = mean_power(noise);
    if power == 0.0 || noise_power == 0.0 {
        return clip.to_vec();
    }
    let gain = (power / noise_power / db_to_power(snr_db)).sqrt() as f32;
    clip.iter().zip(noise.iter().cycle()).map(|(clip, noise)| clip + gain * noise).collect()
}

/// Mean square.
pub fn mean_power(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    sum / samples.len().max(1) as f64
}

/// Scales to a root mean square of 1; silence stays.
pub(crate) fn unit_power(mut samples: Vec<f32>) -> Vec<f32> {
    let power = mean_power(&samples);
    if power > 0.0 {
        let gain = (1.0 / power.sqrt()) as f32;
        for sample in &mut samples {
            *sample *= gain;
        }
    }
    samples
}

/// Sample n of a tone; the phase is a share of a period.
pub(crate) fn sine(hz: f32, n: usize, rate_hz: u32, phase: f32) -> f32 {
    let periods = f64::from(hz) * n as f64 / f64::from(rate_hz) + f64::from(phase);
    (TAU * periods.fract() as f32).sin()
}

/// A number whose logarithm is uniform between two bounds.
pub(crate) fn log_uniform(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    (rng.random_range(low.ln()..high.ln())).exp()
}
