//! Copies of a sound are known by their fingerprints, and different recordings of one machine are not copies.

#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::f32::consts::TAU;

use offkey_signal::{
    Fingerprint, FingerprintIndex, Fingerprinter, Shared, SparseFingerprint, resample,
};
use realfft::{RealFftPlanner, num_complex::Complex};

const RATE_HZ: u32 = 16_000;

/// Noise of level 1, the same for the same seed.
fn noise(seed: u32, samples: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(0x9e37_79b9);
    let mut next = || {
        // Xorshift of Marsaglia, 32 bits.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| next()).collect()
}

/// A machine that hums and knocks: tones, a knock twice a second, and noise of a level below them.
fn machine(seed: u32, seconds: f32, noise_level: f32) -> Vec<f32> {
    let begin = (seed % 997) as f32 * 0.037;
    let samples = (seconds * RATE_HZ as f32) as usize;
    let hiss = noise(seed, samples);
    let at = |(index, hiss): (usize, f32)| {
        let time = begin + index as f32 / RATE_HZ as f32;
        let tones: f32 = [(440.0, 0.2), (883.0, 0.1), (1_327.0, 0.05), (2_950.0, 0.02)]
            .iter()
            .map(|(hz, level)| level * (TAU * (hz * time).fract()).sin())
            .sum();
        let knock = (-40.0 * (2.0 * time).fract()).exp() * (TAU * (1_700.0 * time).fract()).sin();
        tones + 0.2 * knock + noise_level * hiss
    };
    hiss.into_iter().enumerate().map(at).collect()
}

fn in_16_bits(sound: &[f32]) -> Vec<f32> {
    sound.iter().map(|sample| (sample * 32_768.0).round() / 32_768.0).collect()
}

/// A stand-in for lossy coding: in overlapping blocks each band of the spectrum is rounded so coarsely that the error is
/// about 14 dB below the band.
fn coded(sound: &[f32]) -> Vec<f32> {
    const BLOCK: usize = 2048;
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(BLOCK), planner.plan_fft_inverse(BLOCK));
    // Its squares at half a block's distance add up to one.
    let window: Vec<f32> =
        (0..BLOCK).map(|i| (TAU * 0.5 * (i as f32 + 0.5) / BLOCK as f32).sin()).collect();
    let mut out = vec![0.0; sound.len()];
    for begin in (0..sound.len().saturating_sub(BLOCK)).step_by(BLOCK / 2) {
        let mut input: Vec<f32> =
            sound[begin..begin + BLOCK].iter().zip(&window).map(|(x, w)| x * w).collect();
        let mut bins = forward.make_output_vec();
        forward.process(&mut input, &mut bins).unwrap();
        for band in bins.chunks_mut(8) {
            let power: f32 = band.iter().map(Complex::norm_sqr).sum::<f32>();
            let step = 0.5 * (power / band.len() as f32).sqrt().max(1e-6);
            for bin in band {
                bin.re = (bin.re / step).round() * step;
                bin.im = (bin.im / step).round() * step;
            }
        }
        bins[0].im = 0.0;
        bins[BLOCK / 2].im = 0.0;
        let mut block = inverse.make_output_vec();
        inverse.process(&mut bins, &mut block).unwrap();
        for ((out, sample), weight) in out[begin..].iter_mut().zip(&block).zip(&window) {
            *out += sample * weight / BLOCK as f32;
        }
    }
    out
}

fn fingerprint(sound: &[f32]) -> Fingerprint {
    let mut printer = Fingerprinter::new(RATE_HZ);
    printer.push(sound);
    printer.finish()
}

fn shared(sound: &[f32], known: &[f32]) -> Option<Shared> {
    let known = fingerprint(known).sparse();
    FingerprintIndex::new(vec![&known]).shared(&fingerprint(sound), 1).first().copied()
}

#[test]
fn a_copy_is_known_in_whatever_level_rate_coding_and_place() {
    for noise_level in [0.3, 0.03, 0.003] {
        let sound = in_16_bits(&machine(1, 10.0, noise_level));
        let quiet: Vec<f32> = sound.iter().map(|sample| sample * 0.1).collect();
        let other_rate = resample(&sound, RATE_HZ, 44_100).unwrap();
        // Coding takes away noise that is much quieter than the tones in its band.
        let is_noisy = noise_level > 0.01;
        let coded = |sound: &[f32]| if is_noisy { coded(sound) } else { sound.to_vec() };
        let copies = [
            ("equal", sound.clone()),
            ("20 dB lower", in_16_bits(&quiet)),
            ("by way of another rate", resample(&other_rate, 44_100, RATE_HZ).unwrap()),
            ("cut", sound[4_321..].to_vec()),
            ("coded", coded(&sound)),
            ("cut and coded", coded(&sound[777..])),
            ("inverted", sound.iter().map(|sample| -sample).collect()),
        ];
        for (name, copy) in copies {
            for (one, other) in [(&sound, &copy), (&copy, &sound)] {
                let found = shared(one, other);
                let found = found.unwrap_or_else(|| panic!("{name} at {noise_level}: not known"));
                let lasts = one.len().min(other.len()) as f64 / f64::from(RATE_HZ);
                assert!((found.shared_s - lasts).abs() < 0.3, "{name}: {found:?}");
            }
        }
    }
}

#[test]
fn a_stretch_that_two_recordings_share_is_found_and_measured() {
    let sound = machine(1, 15.0, 0.1);
    let rate = RATE_HZ as usize;
    for second in [5, 7] {
        let (one, other) = (&sound[..10 * rate], &sound[second * rate + 77..]);
        let found = shared(one, other).unwrap();
        assert!((found.shared_s - (10.0 - second as f64)).abs() < 0.3, "{second}: {found:?}");
        let found = shared(&coded(other), one).unwrap();
        assert!((found.shared_s - (10.0 - second as f64)).abs() < 0.5, "{second}: {found:?}");
    }
    // A stretch of two and a half seconds that was cut out, and one within other sound.
    assert!(shared(&sound[3 * rate + 55..11 * rate / 2 + 55], &sound).is_some());
    let mut spliced = machine(2, 10.0, 0.1);
    spliced[4 * rate..8 * rate].copy_from_slice(&sound[6 * rate..10 * rate]);
    let found = shared(&spliced, &sound).unwrap();
    // Its ends lie within frames, which are alike in part.
    assert!((found.shared_s - 4.0).abs() < 0.8, "{found:?}");
    // Short ones, as long as the shortest windows.
    assert!(shared(&sound[..rate], &coded(&sound[..rate])).is_some());
}

#[test]
fn different_recordings_of_one_machine_share_nothing_however_steadily_it_runs() {
    for noise_level in [0.3, 0.01, 0.001, 0.0001, 0.0] {
        let sounds: Vec<Vec<f32>> =
            (1..=12).map(|seed| in_16_bits(&machine(seed * 31, 6.0, noise_level))).collect();
        let prints: Vec<Fingerprint> = sounds.iter().map(|sound| fingerprint(sound)).collect();
        let kept: Vec<SparseFingerprint> = prints.iter().map(Fingerprint::sparse).collect();
        let index = FingerprintIndex::new(kept.iter().collect());
        for (number, print) in prints.iter().enumerate() {
            let found = index.shared(print, number);
            assert!(found.is_empty(), "{noise_level}: {number} and {found:?}");
        }
    }
}

#[test]
fn silence_and_sound_that_repeats_itself_match_nothing() {
    let silence = vec![0.0; 160_000];
    assert_eq!(shared(&silence, &silence), None);
    let offset = vec![0.25; 160_000];
    assert_eq!(shared(&offset, &offset), None);
    let tone = |index: u16| (TAU * f32::from(index) * 0.0275).sin() * 0.5;
    let tone: Vec<f32> = (0..160_000).map(|index: u32| tone((index % 400) as u16)).collect();
    assert_eq!(shared(&in_16_bits(&tone), &in_16_bits(&tone[16_000..])), None);
    // Ten times the same second.
    let again = noise(1, 16_000).repeat(10);
    assert_eq!(shared(&again, &again[16_000..]), None);
    assert!(fingerprint(&[0.1; 100]).sparse().bits().is_empty());
    assert_eq!(shared(&[], &again), None);
    let not_numbers = vec![f32::NAN; 160_000];
    assert_eq!(shared(&not_numbers, &not_numbers), None);
}

#[test]
fn a_fingerprint_does_not_depend_on_the_pieces_that_sound_arrives_in() {
    let sound = machine(3, 3.0, 0.1);
    for rate_hz in [1, 50, 4_000, 8_000, 16_000, 44_100, 1_000_000] {
        let mut whole = Fingerprinter::new(rate_hz);
        whole.push(&sound);
        let whole = whole.finish();
        let mut pieces = Fingerprinter::new(rate_hz);
        sound.chunks(777).for_each(|piece| pieces.push(piece));
        assert_eq!(whole, pieces.finish(), "{rate_hz}");
    }
}

#[test]
fn what_is_kept_of_long_sound_is_bounded_and_still_knows_it() {
    let sound = machine(4, 2_400.0, 0.1);
    let kept = fingerprint(&sound).sparse();
    assert!(kept.bits().len() <= 16_384 && kept.stride() == 16, "{}", kept.bits().len());
    let part = &sound[16_000 * 1_000 + 5..16_000 * 1_010];
    let found = FingerprintIndex::new(vec![&kept]).shared(&fingerprint(part), 1);
    assert!(found.len() == 1 && found[0].shared_s > 9.0, "{found:?}");
    let (bits, stride) = (kept.bits().to_vec(), kept.stride());
    assert_eq!(SparseFingerprint::restored(bits.clone(), stride, RATE_HZ), Some(kept));
    for (bits, stride) in [(bits.repeat(2), 16), (bits.clone(), 0), (bits, 17), (vec![], u32::MAX)]
    {
        assert_eq!(SparseFingerprint::restored(bits, stride, RATE_HZ), None);
    }
}

#[test]
fn forged_fingerprints_are_compared_like_any_other() {
    let sound = fingerprint(&machine(5, 6.0, 0.1));
    let own = sound.sparse().bits().to_vec();
    let forged = [vec![own[3]; 16_384], own.repeat(300), vec![0; 16_384], vec![u32::MAX; 9]];
    for stride in [2, 8, 1 << 14, 1 << 24] {
        for bits in &forged {
            let known = SparseFingerprint::restored(bits.clone(), stride, RATE_HZ).unwrap();
            let all = vec![&known; 100];
            let found = FingerprintIndex::new(all).shared(&sound, 100);
            assert!(found.len() <= 100 && found.iter().all(|shared| shared.shared_s < 6.1));
        }
    }
}
