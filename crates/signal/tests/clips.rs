//! Rate conversion, length policies and inspection.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::f64::consts::TAU;

use offkey_signal::{
    Finding, InspectConfig, LengthPolicy, Resampler, Waveform, inspect_samples, resample,
    resampled_len,
};
use proptest::prelude::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../testdata/golden/features.json")).unwrap()
}

/// The tone burst of `testdata/golden/features.py`.
fn burst(samples: usize, cycles: f64) -> Vec<f32> {
    (0..samples)
        .map(|n| n as f64 / samples as f64)
        .map(|t| (-0.5 * ((t - 0.5) / 0.08).powi(2)).exp() * (TAU * cycles * t).sin())
        .map(|sample| sample as f32)
        .collect()
}

#[test]
fn conversion_agrees_with_scipy() {
    for case in golden()["resampled"].as_array().unwrap() {
        let number = |key: &str| case[key].as_u64().unwrap();
        let wave = burst(number("samples") as usize, number("cycles") as f64);
        let found = resample(&wave, number("from_hz") as u32, number("to_hz") as u32).unwrap();
        assert_eq!(found.len() as u64, number("len"));
        let values = case["values"].as_array().unwrap();
        for (found, expected) in found[number("start") as usize..].iter().zip(values) {
            // The pass band is flat to 0.01 %, and single precision adds 1e-6.
            let error = (f64::from(*found) - expected.as_f64().unwrap()).abs();
            assert!(error < 2e-4, "{case}: {found} instead of {expected}");
        }
    }
}

fn tone(hz: f64, rate_hz: u32, samples: usize) -> Vec<f32> {
    (0..samples).map(|n| (TAU * hz * n as f64 / f64::from(rate_hz)).sin() as f32).collect()
}

#[test]
fn what_the_lower_rate_cannot_hold_is_removed() {
    let folded = resample(&tone(9_000.0, 44_100, 44_100), 44_100, 16_000).unwrap();
    let loudest =
        folded[1_000..15_000].iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
    assert!(loudest < 1e-4, "alias at {loudest}");
}

#[test]
fn tones_stay_where_they_are_in_time() {
    for (from_hz, to_hz) in [(44_100, 16_000), (8_000, 16_000), (16_000, 15_999), (96_000, 16_000)]
    {
        let found = resample(&tone(440.0, from_hz, from_hz as usize), from_hz, to_hz).unwrap();
        let expected = tone(440.0, to_hz, to_hz as usize);
        for (found, expected) in found.iter().zip(&expected).skip(3_000).take(4_000) {
            assert!((found - expected).abs() < 2e-4, "{from_hz} to {to_hz}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn length_is_rounded_and_pieces_change_no_bit(
        samples in prop::collection::vec(-1.0_f32..1.0, 0..9_000),
        cuts in prop::collection::vec(0_usize..9_000, 0..8),
        from_hz in prop::sample::select(vec![8_000_u32, 11_025, 16_000, 44_100, 48_000]),
        to_hz in prop::sample::select(vec![8_000_u32, 16_000, 22_050]),
    ) {
        let whole = resample(&samples, from_hz, to_hz).unwrap();
        prop_assert_eq!(whole.len() as u64, resampled_len(samples.len() as u64, from_hz, to_hz));
        let exact = samples.len() as f64 * f64::from(to_hz) / f64::from(from_hz);
        prop_assert!((whole.len() as f64 - exact).abs() <= 0.5);

        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(samples.len())).collect();
        cuts.extend([0, samples.len()]);
        cuts.sort_unstable();
        let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
        let mut joined = Vec::new();
        for pair in cuts.windows(2) {
            resampler.push(&samples[pair[0]..pair[1]], &mut joined);
        }
        resampler.finish(&mut joined);
        prop_assert_eq!(joined, whole);
    }

    #[test]
    fn every_policy_gives_the_target_length_from_the_clips_own_samples(
        samples in 1_usize..50,
        target in 1_usize..120,
        random in any::<u64>(),
    ) {
        let clip: Vec<f32> = (0..samples).map(|n| n as f32 + 1.0).collect();
        for policy in [LengthPolicy::Crop, LengthPolicy::Loop, LengthPolicy::Pad] {
            let fitted = policy.fit(&clip, target, random).unwrap();
            prop_assert_eq!(fitted.len(), target);
            let start = if policy == LengthPolicy::Loop { fitted[0] as usize - 1 } else { 0 };
            for (n, sample) in fitted.iter().enumerate() {
                let place = start + n;
                let silent = policy == LengthPolicy::Pad && place >= samples;
                let expected = if silent { 0.0 } else { clip[place % samples] };
                prop_assert_eq!(sample.to_bits(), expected.to_bits());
            }
        }
    }
}

#[test]
fn looping_reaches_every_offset_and_nothing_else() {
    let clip = [1.0, 2.0, 3.0, 4.0, 5.0];
    let starts: Vec<f32> =
        (0..6).map(|random| LengthPolicy::Loop.fit(&clip, 3, random).unwrap()[0]).collect();
    assert_eq!(starts, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(LengthPolicy::Loop.fit(&clip, 7, 3).unwrap(), [4.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert!(LengthPolicy::Crop.fit(&[], 3, 0).is_err());
}

#[test]
fn impossible_rates_are_refused() {
    for (from_hz, to_hz) in [(0, 16_000), (16_000, 0), (2_000_000, 16_000)] {
        assert!(resample(&[0.0; 10], from_hz, to_hz).is_err());
    }
}

#[test]
fn inspection_finds_what_was_put_in() {
    let healthy = tone(440.0, 16_000, 16_000).iter().map(|sample| 0.5 * sample).collect::<Vec<_>>();
    let louder = |gain: f32| healthy.iter().map(|s| (gain * s).clamp(-1.0, 1.0)).collect();
    let offset: Vec<f32> = healthy.iter().map(|sample| sample + 0.2).collect();
    let mut broken = healthy.clone();
    broken[17] = f32::NAN;
    broken[99] = f32::INFINITY;
    let kinds = |samples: Vec<f32>| -> Vec<&'static str> {
        let wave = Waveform { samples, rate_hz: 16_000 };
        let kind = |finding: &Finding| match finding {
            Finding::Empty => "empty",
            Finding::NonFinite { samples: 2, first: 17 } => "non-finite",
            Finding::NonFinite { .. } => "wrong count",
            Finding::Silent { .. } => "silent",
            Finding::ChannelsCancel { .. } => "cancel",
            Finding::Clipped { .. } => "clipped",
            Finding::DcOffset { .. } => "offset",
        };
        inspect_samples(&wave, &InspectConfig::default()).iter().map(kind).collect()
    };
    assert!(kinds(healthy.clone()).is_empty());
    assert_eq!(kinds(Vec::new()), ["empty"]);
    assert_eq!(kinds(broken), ["non-finite"]);
    assert_eq!(kinds(vec![0.0; 100]), ["silent"]);
    assert_eq!(kinds(vec![0.3; 100]), ["silent", "offset"]);
    assert_eq!(kinds(louder(1e-4)), ["silent"]);
    assert_eq!(kinds(louder(4.0)), ["clipped"]);
    assert_eq!(kinds(offset), ["offset"]);
    assert_eq!(Finding::Clipped { share: 0.25 }.to_string(), "clipped: 25.00 % of samples");
}
