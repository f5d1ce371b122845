//! Any bytes as an audio file, in every channel rule and converted to other rates: samples, or an error
//! that names the file. The first two bytes choose how it is read, the rest is the file.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use offkey_signal::{AudioError, ChannelRule, DecodeConfig, decode_bytes};

/// A thousand-fold rise of the rate makes much of little: inputs are kept short.
const MOST_BYTES: usize = 1 << 16;
/// The largest sample that passes, with room for the ripple of the converter's filter.
const LARGEST: f32 = 1e7;

fuzz_target!(|bytes: &[u8]| {
    let [how, rate, file @ ..] = bytes else { return };
    let channel = match how % 4 {
        0 | 1 => ChannelRule::Mix,
        2 => ChannelRule::Pick(0),
        _ => ChannelRule::Pick(1),
    };
    // Making a converter takes longer than all the rest, so that most inputs go without.
    let rates = [16_000, 8_000, 11_025, 48_000];
    let rate_hz = rates.get(usize::from(*rate) % (4 * rates.len())).copied();
    let config = DecodeConfig { channel, rate_hz };
    let name = Path::new("fuzzed.wav");
    let file = &file[..file.len().min(MOST_BYTES)];
    match decode_bytes(name, file.to_vec(), &config) {
        Ok(wave) => {
            assert!(!wave.samples.is_empty(), "a waveform without samples");
            assert!(
                wave.samples.iter().all(|sample| sample.abs() <= LARGEST),
                "a sample without value or sense"
            );
        }
        Err(AudioError::Damaged { path, damage }) => {
            assert_eq!(path, name);
            assert!(!damage.to_string().is_empty());
        }
        Err(error) => assert!(error.to_string().contains("fuzzed.wav"), "whose error? {error}"),
    }
});
