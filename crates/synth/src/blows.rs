//! Blows that come with the shaft's turning, and how a housing rings after them.

use offkey_core::Seed;
use rand::RngExt;

use crate::{config::RATE_HZ, resonance::Resonator};

/// A ball bearing's geometry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bearing {
    /// Balls.
    pub balls: u32,
    /// Ball diameter over pitch diameter.
    pub ratio: f32,
    /// Where its housing rings.
    pub resonance_hz: f32,
}

impl Bearing {
    /// Order at which balls pass a point of the standing outer race.
    ///
    /// # Source
    /// Randall and Antoni, "Rolling element bearing diagnostics: a tutorial" (2011), with a
    /// contact angle of zero.
    pub fn outer_order(&self) -> f32 {
        0.5 * self.balls as f32 * (1.0 - self.ratio)
    }

    /// Order at which balls pass a point of the turning inner race.
    pub fn inner_order(&self) -> f32 {
        0.5 * self.balls as f32 * (1.0 + self.ratio)
    }
}

/// Samples at which something happens `order` times a revolution. Each interval varies by `slip`
/// (a standard deviation, as a share), and the variations add up: balls slide, they do not mesh.
pub(crate) fn events(turns: &[f64], order: f32, slip: f32, seed: Seed) -> Vec<usize> {
    let mut rng = seed.child("events").rng();
    let interval = 1.0 / f64::from(order);
    let mut next = turns.first().copied().unwrap_or(0.0) + interval * rng.random::<f64>();
    let mut places = Vec::new();
    for (n, turn) in turns.iter().enumerate() {
        while *turn >= next {
            places.push(n);
            // A uniform variable over plus or minus the square root of 3 has a deviation of 1.
            let variation = f64::from(slip) * 3.0_f64.sqrt() * rng.random_range(-1.0..1.0);
            next += interval * (1.0 + variation).max(0.1);
        }
    }
    places
}

/// Lets forces ring in modes of (frequency, weight).
pub(crate) fn ring(forces: &[f32], modes: &[(f32, f32)], damping: f32) -> Vec<f32> {
    let mut sound = vec![0.0; forces.len()];
    for (hz, weight) in modes {
        let mut mode = Resonator::new(*hz, damping, RATE_HZ);
        for (sample, force) in sound.iter_mut().zip(forces) {
            *sample += weight * mode.ring(*force);
        }
    }
    sound
}
