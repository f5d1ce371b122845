//! Lines lie where the formulas say, levels are as stated, faults change what they should.

use offkey_core::Seed;
use offkey_signal::{Stft, Waveform, spectrum};
use offkey_synth::{
    Fault, FaultKind, Machine, MachineKind, Operation, PlantedFault, factory_noise, mix_at_snr,
    pink_noise, plant, white_noise,
};
use proptest::prelude::*;

const RATE_HZ: u32 = 16_000;
const SECONDS: usize = 10;
const SAMPLES: usize = SECONDS * RATE_HZ as usize;
const NOMINAL: Operation = Operation { speed: 1.0, load: 0.5 };

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// Energy between two frequencies.
fn band_energy(samples: &[f32], low_hz: f64, high_hz: f64) -> f64 {
    let bin_hz = f64::from(RATE_HZ) / samples.len() as f64;
    let bins = spectrum(samples);
    let range = (low_hz / bin_hz) as usize..((high_hz / bin_hz) as usize + 1).min(bins.len());
    bins[range].iter().map(|bin| f64::from(*bin).powi(2)).sum()
}

/// How far the strongest bin within 1 % of a frequency stands above the middle one around it.
fn prominence(samples: &[f32], hz: f64) -> f64 {
    let bin_hz = f64::from(RATE_HZ) / samples.len() as f64;
    let bins = spectrum(samples);
    let window =
        |low: f64, high: f64| bins[(low / bin_hz) as usize..=(high / bin_hz) as usize].to_vec();
    let peak = window(0.99 * hz, 1.01 * hz).into_iter().fold(0.0, f32::max);
    let mut around = window(0.9 * hz, 1.1 * hz);
    around.sort_by(f32::total_cmp);
    2.0 * decibels(f64::from(peak / around[around.len() / 2]))
}

/// The squared envelope above a frequency: what bearing diagnosis looks at.
fn envelope(samples: &[f32], above_hz: f32) -> Vec<f32> {
    let stft = Stft { window: 64, hop: 1 };
    let first_bin = (above_hz * 64.0 / RATE_HZ as f32) as usize;
    let rows = stft.magnitude(samples).expect("the clip is longer than a window");
    let envelope: Vec<f32> = rows
        .rows()
        .into_iter()
        .map(|row| row.iter().skip(first_bin).map(|m| m * m).sum())
        .collect();
    let mean = envelope.iter().sum::<f32>() / envelope.len() as f32;
    envelope.iter().map(|value| value - mean).collect()
}

fn sound(kind: MachineKind, fault: Option<FaultKind>, seed: u64) -> (Machine, Vec<f32>) {
    let machine = Machine::new(kind, Seed::new(seed));
    let fault = fault.map(|kind| Fault { kind, severity: 1.0 });
    let sound = machine.sound(NOMINAL, fault, SAMPLES, Seed::new(seed).child("clip"));
    (machine, sound)
}

#[test]
fn healthy_lines_lie_at_multiples_of_the_shafts_speed() {
    for seed in 0..3 {
        let (fan, hum) = sound(MachineKind::Fan, None, seed);
        let shaft_hz = f64::from(fan.shaft_hz_at(NOMINAL));
        assert!(prominence(&hum, shaft_hz) > 15.0, "shaft");
        assert!(prominence(&hum, shaft_hz * f64::from(fan.blades)) > 15.0, "blades");
        let (gearbox, whine) = sound(MachineKind::Gearbox, None, seed);
        let mesh_hz = f64::from(gearbox.shaft_hz_at(NOMINAL)) * f64::from(gearbox.teeth);
        assert!(prominence(&whine, mesh_hz) > 20.0, "mesh");
    }
}

#[test]
fn mesh_lines_have_sidebands_at_the_shafts_distance() {
    let (gearbox, whine) = sound(MachineKind::Gearbox, None, 1);
    let shaft_hz = f64::from(gearbox.shaft_hz_at(NOMINAL));
    let mesh_hz = shaft_hz * f64::from(gearbox.teeth);
    let near = |hz: f64| band_energy(&whine, 0.996 * hz, 1.004 * hz);
    let between = near(mesh_hz + 0.5 * shaft_hz);
    assert!(decibels(near(mesh_hz + shaft_hz) / between) > 10.0);
    assert!(decibels(near(mesh_hz - shaft_hz) / between) > 10.0);
}

#[test]
fn race_defects_beat_at_their_orders() {
    for (kind, fault) in
        [(MachineKind::Bearing, FaultKind::OuterRace), (MachineKind::Bearing, FaultKind::InnerRace)]
    {
        let samples = 4 * RATE_HZ as usize;
        let (machine, broken) = sound(kind, Some(fault), 4);
        let (_, healthy) = sound(kind, None, 4);
        let order = match fault {
            FaultKind::InnerRace => machine.bearing.inner_order(),
            _ => machine.bearing.outer_order(),
        };
        let hz = f64::from(machine.shaft_hz_at(NOMINAL) * order);
        let beat = |sound: &[f32]| {
            let envelope = envelope(&sound[..samples], 0.8 * machine.bearing.resonance_hz);
            band_energy(&envelope, 0.97 * hz, 1.03 * hz)
                / envelope.iter().map(|e| f64::from(*e).powi(2)).sum::<f64>()
        };
        assert!(decibels(beat(&broken) / beat(&healthy)) > 3.0, "{fault:?}");
    }
}

#[test]
fn faults_move_the_energy_they_are_known_for() {
    let gain = |kind, fault, low: &dyn Fn(&Machine) -> (f64, f64)| {
        let (machine, broken) = sound(kind, Some(fault), 2);
        let (_, healthy) = sound(kind, None, 2);
        let (low_hz, high_hz) = low(&machine);
        decibels(band_energy(&broken, low_hz, high_hz) / band_energy(&healthy, low_hz, high_hz))
    };
    let order = |order: f64| {
        move |machine: &Machine| {
            let hz = order * f64::from(machine.shaft_hz_at(NOMINAL));
            (0.98 * hz, 1.02 * hz)
        }
    };
    assert!(gain(MachineKind::Fan, FaultKind::Imbalance, &order(1.0)) > 6.0);
    assert!(gain(MachineKind::Pump, FaultKind::Misalignment, &order(2.0)) > 3.0);
    assert!(gain(MachineKind::Bearing, FaultKind::Looseness, &order(2.5)) > 3.0);
    assert!(gain(MachineKind::Pump, FaultKind::Leak, &|_| (5_000.0, 8_000.0)) > 6.0);
    assert!(gain(MachineKind::Conveyor, FaultKind::BeltSqueal, &|_| (900.0, 2_200.0)) > 1.0);
}

#[test]
fn severity_zero_is_the_healthy_machine() {
    for kind in MachineKind::ALL {
        let machine = Machine::new(kind, Seed::new(5));
        let record = |fault| machine.sound(NOMINAL, fault, 8_000, Seed::new(6));
        let healthy = record(None);
        for fault in kind.faults() {
            let mild = record(Some(Fault { kind: *fault, severity: 0.0 }));
            assert_eq!(healthy, mild, "{kind:?} {fault:?}");
            assert_ne!(
                healthy,
                record(Some(Fault { kind: *fault, severity: 0.5 })),
                "{kind:?} {fault:?}"
            );
        }
    }
}

#[test]
fn noise_has_its_colour_and_unit_power() {
    let seed = Seed::new(1);
    let octave = |noise: &[f32], low_hz: f64| band_energy(noise, low_hz, 2.0 * low_hz);
    let (white, pink) = (white_noise(SAMPLES, seed), pink_noise(SAMPLES, seed));
    for low_hz in [125.0, 500.0, 2_000.0] {
        let white_slope = decibels(octave(&white, 2.0 * low_hz) / octave(&white, low_hz));
        let pink_slope = decibels(octave(&pink, 2.0 * low_hz) / octave(&pink, low_hz));
        // Octaves of noise this long scatter by about 0.3 dB.
        assert!(
            (white_slope - 3.0).abs() < 0.7 && pink_slope.abs() < 0.7,
            "{white_slope} {pink_slope}"
        );
    }
    for noise in [white, pink, factory_noise(SAMPLES, RATE_HZ, seed)] {
        assert!((power(&noise) - 1.0).abs() < 1e-4);
        assert_eq!(noise.len(), SAMPLES);
    }
    assert!(white_noise(0, seed).is_empty() && factory_noise(0, RATE_HZ, seed).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn mixing_keeps_the_clip_and_the_ratio(snr_db in -30.0_f64..30.0, length in 100_usize..3_000) {
        let clip = white_noise(2_500, Seed::new(1));
        let noise = pink_noise(length, Seed::new(2));
        let mixed = mix_at_snr(&clip, &noise, snr_db);
        let added: Vec<f32> = mixed.iter().zip(&clip).map(|(m, c)| m - c).collect();
        let whole_rounds = power(&noise) * 2_500.0;
        let heard: f64 = noise.iter().cycle().take(2_500).map(|n| f64::from(*n).powi(2)).sum();
        let found = decibels(power(&clip) / power(&added)) + decibels(heard / whole_rounds);
        prop_assert!((found - snr_db).abs() < 0.01, "{found} for {snr_db}");
    }

    #[test]
    fn planted_faults_have_their_level_and_stay_in_their_region(
        fault_index in 0_usize..6,
        snr_db in -20.0_f64..0.0,
        seed in any::<u64>(),
    ) {
        let fault = PlantedFault::ALL[fault_index];
        let before = Waveform { samples: factory_noise(4 * RATE_HZ as usize, RATE_HZ, Seed::new(seed)), rate_hz: RATE_HZ };
        let mut after = before.clone();
        let region = plant(&mut after, fault, snr_db, Seed::new(seed));
        let change: Vec<f32> = after.samples.iter().zip(&before.samples).map(|(a, b)| a - b).collect();
        let place = |seconds: f32| (seconds * RATE_HZ as f32).round() as usize;
        let (start, end) = (place(region.start_s), place(region.end_s));
        prop_assert!(change[..start].iter().chain(&change[end..]).all(|c| *c == 0.0));
        let inside = &change[start..end];
        let level = decibels(power(inside) / power(&before.samples));
        // A dropout cannot take away more than the clip has at that place.
        let reached = (level - snr_db).abs() < 0.01 || (fault == PlantedFault::Dropout && level < snr_db);
        prop_assert!(reached, "{level} for {snr_db}");
        let share = band_energy(inside, f64::from(region.low_hz), f64::from(region.high_hz))
            / band_energy(inside, 0.0, 8_000.0);
        prop_assert!(share > 0.9, "{fault:?}: {share} of the energy in the band");
    }
}

#[test]
fn planting_works_at_any_rate_and_in_silence() {
    for rate_hz in [4_000, 8_000, 16_000, 48_000] {
        for fault in PlantedFault::ALL {
            let mut wave = Waveform { samples: vec![0.0; rate_hz as usize], rate_hz };
            let region = plant(&mut wave, fault, 0.0, Seed::new(3));
            assert!(region.low_hz < region.high_hz && region.high_hz <= rate_hz as f32 / 2.0);
            assert_eq!(power(&wave.samples) == 0.0, fault == PlantedFault::Dropout, "{fault:?}");
            assert!(wave.samples.iter().all(|sample| sample.is_finite()));
        }
    }
    let mut empty = Waveform { samples: Vec::new(), rate_hz: 16_000 };
    plant(&mut empty, PlantedFault::Knock, 0.0, Seed::new(3));
}
