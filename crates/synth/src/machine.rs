//! Healthy machines, made from causes.
//!
//! A [`Machine`] is an individual: a shaft speed, numbers of blades and teeth, a bearing, the
//! modes of a housing, drawn once. An [`Operation`] is what it is asked to do. The sound follows
//! the angle of the shaft: everything periodic is a function of it, so that lines, sidebands and
//! blows move together when the speed wanders.

use std::f32::consts::TAU;

use offkey_core::Seed;
use rand::{Rng, RngExt};

use crate::{
    blows::{Bearing, events, ring},
    config::RATE_HZ,
    fault::{Fault, FaultKind},
    noise::{log_uniform, pink_noise, unit_power, white_noise},
    resonance::Resonator,
};

/// A type of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MachineKind {
    /// An axial fan: blade tones and flow noise.
    Fan,
    /// A gear pair on a motor: mesh lines with sidebands.
    Gearbox,
    /// A centrifugal pump: vane tones, turbulent liquid, a little knocking.
    Pump,
    /// A bearing test rig: rolling noise.
    Bearing,
    /// A solenoid valve: strokes, and the medium that flows while it is open.
    Valve,
    /// A belt conveyor: motor, gear, rollers, the belt's joint.
    Conveyor,
}

impl MachineKind {
    /// All types, in the order in which a data set takes them.
    pub const ALL: [Self; 6] =
        [Self::Fan, Self::Gearbox, Self::Pump, Self::Bearing, Self::Valve, Self::Conveyor];

    /// The name in folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fan => "fan",
            Self::Gearbox => "gearbox",
            Self::Pump => "pump",
            Self::Bearing => "bearing",
            Self::Valve => "valve",
            Self::Conveyor => "conveyor",
        }
    }

    /// What can break in such a machine.
    pub fn faults(self) -> &'static [FaultKind] {
        use FaultKind::{
            BeltSqueal, BrokenTooth, Clogging, Imbalance, InnerRace, Leak, Looseness, Misalignment,
            OuterRace,
        };
        match self {
            Self::Fan => &[Imbalance, OuterRace, Clogging, Looseness],
            Self::Gearbox => &[BrokenTooth, InnerRace, Misalignment, Looseness],
            Self::Pump => &[Clogging, Leak, OuterRace, Misalignment],
            Self::Bearing => &[OuterRace, InnerRace, Imbalance, Looseness],
            Self::Valve => &[Leak, Clogging, Looseness],
            Self::Conveyor => &[BeltSqueal, OuterRace, Looseness, Misalignment],
        }
    }

    /// Levels of a healthy machine's parts at nominal speed and half load.
    fn parts(self) -> Parts {
        let none = Parts::default();
        match self {
            Self::Fan => Parts { rotor: 0.4, blade: 0.5, flow: 1.0, ..none },
            Self::Gearbox => Parts { rotor: 0.4, mesh: 1.0, flow: 0.3, ..none },
            Self::Pump => Parts { rotor: 0.4, blade: 0.7, flow: 0.8, knock: 0.2, ..none },
            Self::Bearing => Parts { rotor: 0.5, rolling: 0.9, flow: 0.2, ..none },
            Self::Valve => Parts { stroke: 1.0, flow: 0.4, rotor: 0.1, blade: 0.05, ..none },
            Self::Conveyor => Parts { rotor: 0.5, mesh: 0.4, joint: 0.6, rolling: 0.4, ..none },
        }
    }
}

/// What an individual machine is asked to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation {
    /// Speed relative to the nominal one.
    pub speed: f32,
    /// Load, 0 (idle) to 1 (full).
    pub load: f32,
}

/// An individual machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its type.
    pub kind: MachineKind,
    /// Revolutions a second at nominal speed without load.
    pub shaft_hz: f32,
    /// Blades or vanes.
    pub blades: u32,
    /// Teeth of the driving gear.
    pub teeth: u32,
    /// Its bearing.
    pub bearing: Bearing,
    /// Where a slipping belt squeals.
    pub(crate) squeal_hz: f32,
    /// Where a leak hisses most.
    pub(crate) leak_hz: f32,
    /// Modes of the housing: frequency and weight.
    modes: Vec<(f32, f32)>,
    /// Weights and phases of the shaft's orders.
    orders: Vec<(f32, f32)>,
    /// Where flow noise is strongest.
    flow_hz: f32,
}

/// How loud each part of a machine is in one recording. Faults change these.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    rotor: f32,
    pub(crate) blade: f32,
    pub(crate) flow: f32,
    mesh: f32,
    knock: f32,
    rolling: f32,
    stroke: f32,
    joint: f32,
    /// Weights of the shaft's orders, the first at index 0.
    pub(crate) orders: Vec<f32>,
    /// Depth to which the flow beats with the shaft.
    pub(crate) flow_beat: f32,
    /// Depth of slow surging of the flow.
    pub(crate) surge: f32,
    /// Depth to which the mesh falters once a revolution.
    pub(crate) mesh_gap: f32,
}

impl Machine {
    /// Draws an individual.
    pub fn new(kind: MachineKind, seed: Seed) -> Self {
        let mut rng = seed.rng();
        let modes = (0..4)
            .map(|_| (log_uniform(&mut rng, 250.0, 5_000.0), rng.random_range(0.4..1.0)))
            .collect();
        let orders = (1..=6)
            .map(|order| (rng.random_range(0.5..1.0) / order as f32, rng.random_range(0.0..1.0)))
            .collect();
        Self {
            kind,
            shaft_hz: rng.random_range(18.0..32.0),
            blades: rng.random_range(5..10),
            teeth: rng.random_range(17..36),
            bearing: Bearing {
                balls: rng.random_range(7..12),
                ratio: rng.random_range(0.2..0.35),
                resonance_hz: rng.random_range(2_200.0..4_200.0),
            },
            squeal_hz: rng.random_range(900.0..2_200.0),
            leak_hz: rng.random_range(4_000.0..6_500.0),
            modes,
            orders,
            flow_hz: log_uniform(&mut rng, 300.0, 1_200.0),
        }
    }

    /// Revolutions a second under an operation: a loaded induction motor slips by up to 4 %.
    pub fn shaft_hz_at(&self, operation: Operation) -> f32 {
        self.shaft_hz * operation.speed * (1.0 - 0.04 * operation.load)
    }

    /// The machine's sound without any background, at a root mean square near 1.
    pub fn sound(
        &self,
        operation: Operation,
        fault: Option<Fault>,
        samples: usize,
        seed: Seed,
    ) -> Vec<f32> {
        let turns = self.turns(operation, samples, seed.child("shaft"));
        let mut parts = self.parts_at(operation);
        if let Some(fault) = fault {
            fault.disturb(&mut parts);
        }
        let mut sound = self.vibration(&parts, &turns, seed.child("vibration"));
        self.add_flow(&parts, &turns, operation, seed.child("flow"), &mut sound);
        if let Some(fault) = fault {
            fault.add(self, &turns, seed.child("fault"), &mut sound);
        }
        unit_power(sound)
    }

    /// The modes of the housing: frequency and weight.
    pub(crate) fn mode_pairs(&self) -> Vec<(f32, f32)> {
        self.modes.clone()
    }

    /// The angle of the shaft at each sample, in revolutions. The speed of a clip lies within
    /// half a percent of the operation's and wanders by a tenth of that.
    fn turns(&self, operation: Operation, samples: usize, seed: Seed) -> Vec<f64> {
        let mut rng = seed.rng();
        let speed = f64::from(self.shaft_hz_at(operation)) * rng.random_range(0.995..1.005);
        let wander_hz = rng.random_range(0.1..0.4);
        let mut angle = rng.random::<f64>();
        (0..samples)
            .map(|n| {
                let t = n as f64 / f64::from(RATE_HZ);
                let wander = 1.0 + 5e-4 * (std::f64::consts::TAU * wander_hz * t).sin();
                angle += speed * wander / f64::from(RATE_HZ);
                angle
            })
            .collect()
    }

    /// Loads press teeth, vanes and rollers harder; air moves with the fifth power of speed
    /// (50 dB a decade, the fan laws), vibration with the square.
    fn parts_at(&self, operation: Operation) -> Parts {
        let mut parts = self.kind.parts();
        let press = 0.6 + 0.8 * operation.load;
        for part in [&mut parts.mesh, &mut parts.blade, &mut parts.rolling, &mut parts.knock] {
            *part *= press;
        }
        parts.rotor *= operation.speed.powi(2);
        parts.flow *= operation.speed.powf(2.5);
        parts.blade *= operation.speed.powf(2.5);
        parts.orders = self.orders.iter().map(|(weight, _)| *weight).collect();
        parts
    }

    /// What shakes the housing, heard directly and through its modes.
    fn vibration(&self, parts: &Parts, turns: &[f64], seed: Seed) -> Vec<f32> {
        let mut force = vec![0.0; turns.len()];
        self.add_rotor(parts, turns, &mut force);
        self.add_mesh(parts, turns, &mut force);
        self.add_rolling(parts, turns, seed.child("rolling"), &mut force);
        let mut sound = force.clone();
        for (hz, weight) in &self.modes {
            let mut mode = Resonator::new(*hz, 0.02, RATE_HZ);
            for (sample, force) in sound.iter_mut().zip(&force) {
                *sample += 2.0 * weight * mode.step(*force);
            }
        }
        self.add_blows(parts, turns, seed.child("blows"), &mut sound);
        sound
    }

    /// The shaft's orders.
    fn add_rotor(&self, parts: &Parts, turns: &[f64], force: &mut [f32]) {
        for ((order, weight), (_, phase)) in (1_u32..).zip(&parts.orders).zip(&self.orders) {
            for (sample, turn) in force.iter_mut().zip(turns) {
                *sample += parts.rotor * weight * wave(f64::from(order) * turn + f64::from(*phase));
            }
        }
    }

    /// Lines at multiples of teeth times speed; eccentricity modulates amplitude and phase once a
    /// revolution, which makes the sidebands.
    fn add_mesh(&self, parts: &Parts, turns: &[f64], force: &mut [f32]) {
        if parts.mesh == 0.0 {
            return;
        }
        for (sample, turn) in force.iter_mut().zip(turns) {
            let once = wave(*turn);
            let mesh = f64::from(self.teeth) * turn + 0.05 * f64::from(once);
            let lines = wave(mesh) + 0.5 * wave(2.0 * mesh + 0.2) + 0.25 * wave(3.0 * mesh + 0.6);
            let gap = 1.0 - parts.mesh_gap * bump(*turn, 1.5 / f64::from(self.teeth));
            *sample += 0.8 * parts.mesh * gap * (1.0 + 0.25 * once) * lines;
        }
    }

    /// Noise of rough surfaces, which rises and falls as the cage carries the balls around.
    fn add_rolling(&self, parts: &Parts, turns: &[f64], seed: Seed, force: &mut [f32]) {
        if parts.rolling == 0.0 {
            return;
        }
        let cage_order = f64::from(0.5 * (1.0 - self.bearing.ratio));
        let mut surface = Resonator::new(0.5 * self.bearing.resonance_hz, 0.3, RATE_HZ);
        let noise = unit_power(
            white_noise(turns.len(), seed).into_iter().map(|w| surface.step(w)).collect(),
        );
        for ((sample, turn), noise) in force.iter_mut().zip(turns).zip(noise) {
            *sample += parts.rolling * noise * (1.0 + 0.3 * wave(cage_order * turn));
        }
    }

    /// Parts that strike: knocking vanes, the strokes of a valve, the joint of a belt.
    fn add_blows(&self, parts: &Parts, turns: &[f64], seed: Seed, sound: &mut [f32]) {
        let trains = [
            (parts.knock, 1.0, 0.02, 0.03),
            (8.0 * parts.stroke, 0.09, 0.03, 0.015),
            (5.0 * parts.joint, 0.12, 0.01, 0.04),
        ];
        for (level, order, slip, damping) in trains {
            if level == 0.0 {
                continue;
            }
            let mut rng = seed.child(order).rng();
            let mut forces = vec![0.0; turns.len()];
            for place in events(turns, order, slip, seed.child(order)) {
                forces[place] += level * rng.random_range(0.8..1.2);
            }
            for (sample, ringing) in sound.iter_mut().zip(ring(&forces, &self.modes, damping)) {
                *sample += ringing;
            }
        }
    }

    /// Turbulence around a broad peak that moves with speed, beating with the blades, and the
    /// blades' own tones.
    fn add_flow(
        &self,
        parts: &Parts,
        turns: &[f64],
        operation: Operation,
        seed: Seed,
        sound: &mut [f32],
    ) {
        let mut rng = seed.child("surge").rng();
        let mut peak = Resonator::new(self.flow_hz * operation.speed, 0.5, RATE_HZ);
        let surge_hz = rng.random_range(0.7..2.0);
        let noise = pink_noise(turns.len(), seed);
        let noise = unit_power(noise.into_iter().map(|n| 0.3 * n + peak.step(n)).collect());
        let blades = f64::from(self.blades);
        for (n, ((sample, turn), noise)) in sound.iter_mut().zip(turns).zip(noise).enumerate() {
            let surge = 1.0 + parts.surge * crate::noise::sine(surge_hz, n, RATE_HZ, 0.0);
            let beat = 1.0 + 0.2 * wave(blades * turn) + parts.flow_beat * wave(*turn);
            *sample += parts.flow * surge * beat * noise;
            if parts.blade > 0.0 {
                let tones = wave(blades * turn) + 0.6 * wave(2.0 * blades * turn + 0.3);
                *sample += parts.blade * (tones + 0.3 * wave(3.0 * blades * turn + 0.7));
            }
        }
    }
}

/// A sine of so many periods.
fn wave(periods: f64) -> f32 {
    (TAU * periods.fract() as f32).sin()
}

/// 1 at whole revolutions, falling to 0 at a distance of `width` revolutions.
fn bump(turn: f64, width: f64) -> f32 {
    let distance = (turn - turn.round()).abs();
    (1.0 - distance / width).max(0.0) as f32
}

/// Speed and load levels that a machine is recorded at; see the data set's domains.
pub(crate) fn pick<T: Copy>(choices: &[T], rng: &mut impl Rng) -> T {
    choices[rng.random_range(0..choices.len())]
}
