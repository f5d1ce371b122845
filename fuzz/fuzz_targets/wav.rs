//! Any bytes as an audio file: samples, or an error that names the file.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use offkey_signal::{DecodeConfig, decode_bytes};

fuzz_target!(|bytes: &[u8]| {
    let name = Path::new("fuzzed.wav");
    match decode_bytes(name, bytes.to_vec(), &DecodeConfig::default()) {
        Ok(wave) => {
            assert!(!wave.samples.is_empty(), "a waveform without samples");
            assert!(wave.samples.iter().all(|sample| sample.is_finite()), "a sample without value");
        }
        Err(error) => assert!(error.to_string().contains("fuzzed.wav"), "whose error? {error}"),
    }
});
