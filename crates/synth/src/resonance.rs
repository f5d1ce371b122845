//! A mode of a structure: what a blow makes ring, and what passes a sound on at its own pitch.

use std::f32::consts::TAU;

/// A second-order resonance with unit gain at its peak.
///
/// # Source
/// The impulse-invariant form of a damped oscillator: poles at radius exp(-zeta w) and angle w.
#[derive(Debug, Clone)]
pub(crate) struct Resonator {
    feedback: [f32; 2],
    gain: f32,
    blow: f32,
    past: [f32; 2],
}

impl Resonator {
    /// A mode at `hz` (kept below 45 % of the rate) with a damping ratio of the critical one.
    pub(crate) fn new(hz: f32, damping: f32, rate_hz: u32) -> Self {
        let angle = TAU * hz.min(0.45 * rate_hz as f32) / rate_hz as f32;
        let radius = (-damping * angle).exp();
        let feedback = [2.0 * radius * angle.cos(), -radius * radius];
        let spread = 1.0 - 2.0 * radius * (2.0 * angle).cos() + radius * radius;
        Self { feedback, gain: (1.0 - radius) * spread.sqrt(), blow: angle.sin(), past: [0.0; 2] }
    }

    /// Passes one sample of a sound.
    pub(crate) fn step(&mut self, input: f32) -> f32 {
        self.advance(self.gain * input)
    }

    /// Passes one sample of a force: a blow of 1 rings with an amplitude that starts at 1,
    /// whatever the damping.
    pub(crate) fn ring(&mut self, force: f32) -> f32 {
        self.advance(self.blow * force)
    }

    fn advance(&mut self, drive: f32) -> f32 {
        let out = drive + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}
