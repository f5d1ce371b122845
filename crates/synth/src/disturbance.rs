//! What each fault does to the sound of a machine.
//!
//! Orders are multiples of the shaft's speed. A severity of 0 changes nothing.

use offkey_core::Seed;
use rand::RngExt;

use crate::{
    blows::{events, ring},
    config::RATE_HZ,
    fault::{Fault, FaultKind},
    machine::{Machine, Parts},
    noise::{log_uniform, sine, unit_power, white_noise},
    resonance::Resonator,
};

/// Level of an added sound relative to the healthy machine at severity 0 and at severity 1, in
/// decibels of mean power. A fault begins far below what it disturbs.
const ADDED_DB: (f32, f32) = (-26.0, -8.0);

impl Fault {
    /// Changes what the healthy parts do, before they sound.
    pub(crate) fn disturb(self, parts: &mut Parts) {
        let s = self.severity;
        match self.kind {
            FaultKind::Imbalance => {
                parts.orders[0] *= 1.0 + 5.0 * s;
                parts.flow_beat += 0.5 * s;
            }
            FaultKind::Misalignment => {
                parts.orders[1] += 1.2 * s * parts.orders[0];
                parts.orders[2] += 0.8 * s * parts.orders[0];
            }
            FaultKind::BrokenTooth => parts.mesh_gap = 0.9 * s,
            FaultKind::Clogging => {
                parts.flow *= 1.0 - 0.4 * s;
                parts.blade *= 1.0 + 1.5 * s;
                parts.surge = 0.6 * s;
            }
            FaultKind::OuterRace
            | FaultKind::InnerRace
            | FaultKind::Looseness
            | FaultKind::BeltSqueal
            | FaultKind::Leak => {}
        }
    }

    /// Adds the sounds that a healthy machine does not make.
    pub(crate) fn add(self, machine: &Machine, turns: &[f64], seed: Seed, sound: &mut [f32]) {
        let added = match self.kind {
            FaultKind::OuterRace => race(machine, turns, machine.bearing.outer_order(), 0.1, seed),
            FaultKind::InnerRace => race(machine, turns, machine.bearing.inner_order(), 0.9, seed),
            FaultKind::Looseness => loose(machine, turns, seed),
            FaultKind::BrokenTooth => tooth(machine, turns, seed),
            FaultKind::BeltSqueal => squeal(machine, turns, self.severity, seed),
            FaultKind::Leak => leak(machine, sound.len(), seed),
            FaultKind::Imbalance | FaultKind::Misalignment | FaultKind::Clogging => return,
        };
        let level_db = ADDED_DB.0 + (ADDED_DB.1 - ADDED_DB.0) * self.severity;
        let healthy = crate::noise::mean_power(sound);
        let power = healthy * offkey_signal::level::db_to_power(f64::from(level_db));
        let gain = power.sqrt() as f32 * self.severity.min(0.1) * 10.0;
        for (sample, fault) in sound.iter_mut().zip(unit_power(added)) {
            *sample += gain * fault;
        }
    }
}

/// Blows at a race's order into the housing; `modulation` 0 to 1 is how much the load zone
/// weighs them.
fn race(machine: &Machine, turns: &[f64], order: f32, modulation: f32, seed: Seed) -> Vec<f32> {
    let mut forces = vec![0.0; turns.len()];
    for place in events(turns, order, 0.01, seed) {
        let zone = 0.5 + 0.5 * (std::f64::consts::TAU * turns[place].fract()).cos() as f32;
        forces[place] += 1.0 - modulation + modulation * zone;
    }
    ring(
        &forces,
        &[(machine.bearing.resonance_hz, 1.0), (1.7 * machine.bearing.resonance_hz, 0.5)],
        0.03,
    )
}

fn loose(machine: &Machine, turns: &[f64], seed: Seed) -> Vec<f32> {
    let mut rng = seed.child("loose").rng();
    let mut forces = vec![0.0; turns.len()];
    for place in events(turns, 2.0, 0.25, seed) {
        forces[place] += rng.random_range(0.2..1.0);
    }
    let rattle = unit_power(ring(&forces, &machine.mode_pairs(), 0.02));
    let phases: Vec<f32> = (0..14).map(|_| rng.random_range(0.0..1.0)).collect();
    let orders = |turn: f64| -> f32 {
        let wave = |(half, phase): (usize, &f32)| {
            let order = 0.5 * (half + 1) as f64;
            let angle = (order * turn + f64::from(*phase)).fract() as f32;
            (std::f32::consts::TAU * angle).sin() / (1.0 + 0.2 * half as f32)
        };
        phases.iter().enumerate().map(wave).sum()
    };
    let harmonics = unit_power(turns.iter().map(|turn| orders(*turn)).collect());
    rattle.iter().zip(&harmonics).map(|(rattle, harmonic)| rattle + 0.7 * harmonic).collect()
}

fn tooth(machine: &Machine, turns: &[f64], seed: Seed) -> Vec<f32> {
    let mut forces = vec![0.0; turns.len()];
    for place in events(turns, 1.0, 0.0, seed) {
        forces[place] += 1.0;
    }
    ring(&forces, &machine.mode_pairs(), 0.03)
}

fn squeal(machine: &Machine, turns: &[f64], severity: f32, seed: Seed) -> Vec<f32> {
    let mut rng = seed.child("squeal").rng();
    let share = 0.25 + 0.6 * severity;
    let (gate_hz, gate_phase) = (rng.random_range(0.3..0.9), rng.random_range(0.0..1.0));
    let mut phase = 0.0_f64;
    let tone = |(n, turn): (usize, &f64)| {
        let wobble = (std::f64::consts::TAU * 0.3 * turn).sin();
        phase += f64::from(machine.squeal_hz) * (1.0 + 0.01 * wobble) / f64::from(RATE_HZ);
        let angle = std::f32::consts::TAU * phase.fract() as f32;
        // A raised sine that is above zero for the share of time that the belt slips.
        let gate = sine(gate_hz, n, RATE_HZ, gate_phase) + 2.0 * share - 1.0;
        gate.clamp(0.0, 0.5) * (angle.sin() + 0.5 * (2.0 * angle).sin() + 0.3 * (3.0 * angle).sin())
    };
    turns.iter().enumerate().map(tone).collect()
}

fn leak(machine: &Machine, samples: usize, seed: Seed) -> Vec<f32> {
    let mut rng = seed.child("leak").rng();
    let centre_hz = machine.leak_hz * log_uniform(&mut rng, 0.95, 1.05);
    let mut jet = Resonator::new(centre_hz, 0.2, RATE_HZ);
    let mut noise = white_noise(samples, seed);
    for sample in &mut noise {
        *sample = jet.step(*sample);
    }
    noise
}
