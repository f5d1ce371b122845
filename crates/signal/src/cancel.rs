//! What a far microphone hears, taken out of what a near one hears.
//!
//! Per frequency one complex factor `H = sum_t C conj(F) / (sum_t |F|^2 + 1e-12)` over the frames of a stretch
//! (C near, F far), and the near signal less the far one filtered by it. What both hear at the same time and in a
//! fixed relation goes; so does a part of what the near microphone alone is meant for, where it leaks into the far
//! one.

use realfft::{RealFftPlanner, num_complex::Complex};

use crate::{fft::forward_plan, stft::periodic_hann};

/// Frames of 64 ms, as 1024 samples at 16 kHz.
const FRAME_S: f64 = 0.064;
/// Fewer frames say too little about a relation: one would cancel everything.
const LEAST_FRAMES: usize = 31;
/// Keeps silence from dividing by nothing.
const FLOOR: f32 = 1e-12;

/// The relation of two channels, per frequency.
pub(crate) type Relation = Vec<Complex<f32>>;

/// Samples of a frame at a rate: even, so that half of it is a hop.
pub(crate) fn frame_len(rate_hz: u32) -> usize {
    ((FRAME_S * f64::from(rate_hz) / 2.0).round() as usize).max(8) * 2
}

/// The near channel with the far one cancelled, and the relation that was found. A stretch too short to tell uses
/// the relation `known` from before; without one it stays as it is.
pub(crate) fn cancel(
    near: &[f32],
    far: &[f32],
    frame: usize,
    known: Option<&Relation>,
) -> (Vec<f32>, Option<Relation>) {
    let hop = frame / 2;
    let frames = near.len().div_ceil(hop) + 1;
    let found = (near.len() / hop > LEAST_FRAMES).then(|| {
        let (near, far) = (spectra(near, frame, frames), spectra(far, frame, frames));
        relation(&near, &far)
    });
    let Some(relation) = found.as_ref().or(known) else { return (near.to_vec(), None) };
    let mut removed = spectra(far, frame, frames);
    for spectrum in &mut removed {
        spectrum.iter_mut().zip(relation).for_each(|(bin, factor)| *bin *= factor);
    }
    let removed = overlap_add(removed, frame, near.len());
    let kept = near.iter().zip(removed).map(|(near, removed)| near - removed).collect();
    (kept, found)
}

/// Frames under a Hann window, half a frame apart; the first is centred at the first sample.
fn spectra(samples: &[f32], frame: usize, frames: usize) -> Vec<Vec<Complex<f32>>> {
    let (plan, window) = (forward_plan(frame), periodic_hann(frame));
    let hop = frame / 2;
    let sample = |index: usize| index.checked_sub(hop).and_then(|at| samples.get(at)).copied();
    let of_frame = |number: usize| {
        let begin = number * hop;
        let mut input: Vec<f32> =
            (0..frame).map(|n| sample(begin + n).unwrap_or(0.0) * window[n]).collect();
        let mut spectrum = plan.make_output_vec();
        plan.process(&mut input, &mut spectrum).expect("lengths are the plan's");
        spectrum
    };
    (0..frames).map(of_frame).collect()
}

fn relation(near: &[Vec<Complex<f32>>], far: &[Vec<Complex<f32>>]) -> Relation {
    let bins = near.first().map_or(0, Vec::len);
    let factor = |bin: usize| {
        let pairs = near.iter().zip(far).map(|(near, far)| (near[bin], far[bin]));
        let (cross, power) = pairs
            .fold((Complex::default(), 0.0), |(cross, power), (near, far)| {
                (cross + near * far.conj(), power + far.norm_sqr())
            });
        cross / (power + FLOOR)
    };
    (0..bins).map(factor).collect()
}

/// Half-overlapping Hann windows sum to one, so that unchanged spectra give the samples back.
fn overlap_add(spectra: Vec<Vec<Complex<f32>>>, frame: usize, samples: usize) -> Vec<f32> {
    let plan = RealFftPlanner::<f32>::new().plan_fft_inverse(frame);
    let hop = frame / 2;
    let mut sum = vec![0.0; (spectra.len() + 1) * hop];
    for (number, mut spectrum) in spectra.into_iter().enumerate() {
        // The transform of real samples is real at both ends.
        for end in [0, frame / 2] {
            spectrum[end].im = 0.0;
        }
        let mut output = plan.make_output_vec();
        plan.process(&mut spectrum, &mut output).expect("lengths are the plan's");
        let place = &mut sum[number * hop..number * hop + frame];
        place.iter_mut().zip(output).for_each(|(sum, value)| *sum += value / frame as f32);
    }
    sum[hop..hop + samples].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u32, samples: usize) -> Vec<f32> {
        let mut state = seed;
        (0..samples)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn power_db(samples: &[f32]) -> f64 {
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        10.0 * (sum / samples.len() as f64).log10()
    }

    fn mixed(parts: &[(&[f32], f32)]) -> Vec<f32> {
        (0..parts[0].0.len())
            .map(|n| parts.iter().map(|(part, gain)| part[n] * gain).sum())
            .collect()
    }

    fn gain(db: f32) -> f32 {
        10_f32.powf(db / 20.0)
    }

    #[test]
    fn noise_goes_and_the_machine_stays_as_far_as_it_does_not_leak() {
        // Ten seconds at 16 kHz, both as loud at their own microphone. The noise arrives 6 dB weaker near; the
        // machine leaks into the far microphone.
        let (machine, noise) = (noise(1, 160_000), noise(2, 160_000));
        for leak_db in [-20.0, -10.0, 0.0] {
            let leak = f64::from(gain(leak_db));
            // The factor for equal powers, and what it leaves of each part.
            let factor = (0.5 + leak) / (1.0 + leak * leak);
            let expected_removed_db = 20.0 * (0.5 / (0.5 - factor).abs()).log10();
            let expected_kept_db = 20.0 * (1.0 - factor * leak).log10();
            let near = mixed(&[(&machine, 1.0), (&noise, 0.5)]);
            let far = mixed(&[(&machine, gain(leak_db)), (&noise, 1.0)]);
            let (frame, none) = (frame_len(16_000), None);
            let (_, relation) = cancel(&near, &far, frame, none);
            let relation = relation.expect("ten seconds tell");
            // The same filter on each part alone: it is linear.
            let alone = |near: &[f32], far: &[f32]| {
                let frames = near.len().div_ceil(frame / 2) + 1;
                let mut removed = spectra(far, frame, frames);
                for spectrum in &mut removed {
                    spectrum.iter_mut().zip(&relation).for_each(|(bin, factor)| *bin *= factor);
                }
                let removed = overlap_add(removed, frame, near.len());
                mixed(&[(near, 1.0), (&removed, -1.0)])
            };
            let leaked = mixed(&[(&machine, gain(leak_db))]);
            let near_noise = mixed(&[(&noise, 0.5)]);
            let removed_db = power_db(&near_noise) - power_db(&alone(&near_noise, &noise));
            let kept_db = power_db(&alone(&machine, &leaked)) - power_db(&machine);
            // 300 frames know the factor to a few per cent.
            let near_to = |found: f64, expected: f64| (found - expected).abs() < 2.0;
            assert!(near_to(removed_db, expected_removed_db), "{leak_db}: {removed_db:.1} removed");
            assert!(near_to(kept_db, expected_kept_db), "{leak_db}: {kept_db:.1} kept");
        }
    }

    #[test]
    fn a_silent_far_channel_changes_nothing_and_an_equal_one_leaves_nothing() {
        let near = noise(3, 80_000);
        let (kept, _) = cancel(&near, &vec![0.0; near.len()], 1024, None);
        assert_eq!(kept, near);
        let (kept, _) = cancel(&near, &near, 1024, None);
        assert!(power_db(&kept) < power_db(&near) - 60.0, "{}", power_db(&kept));
    }

    #[test]
    fn a_short_stretch_takes_the_relation_from_before_or_stays() {
        let near = noise(4, 80_000);
        let (_, relation) = cancel(&near, &near, 1024, None);
        let short = &near[..4000];
        let (stays, found) = cancel(short, short, 1024, None);
        assert!(stays == short && found.is_none());
        let (kept, _) = cancel(short, short, 1024, relation.as_ref());
        assert!(power_db(&kept) < power_db(short) - 40.0, "{}", power_db(&kept));
    }
}
