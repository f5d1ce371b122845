//! The committed model, and sound of the machine it knows.

use std::path::PathBuf;

use crate::common::{Bench, files};

/// The committed model file of the first form: windows of half a second at 16 kHz.
pub(crate) fn model() -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/monitor");
    folder.join("form_1.offkey").display().to_string()
}

/// Seconds between the model's windows.
pub(crate) const EVERY_S: f64 = 0.5;

/// Normal sound of the model's machine, two seconds a clip, as `testdata/monitor/make.sh` makes it but
/// never shown to the model.
pub(crate) fn normal_sound(bench: &Bench, clips: usize) -> Vec<i16> {
    bench.ok(
        "data synth --quiet --out machine --machines 1 --clips 24 --clip-s 2 --snr 20 --seed 9",
    );
    let found = files(&bench.path("machine"), "wav");
    let known = |path: &&PathBuf| path.to_string_lossy().contains("source_test_normal");
    let normal: Vec<Vec<i16>> = found.iter().filter(known).map(|path| samples_of(path)).collect();
    let sound: Vec<i16> = normal.iter().cycle().take(clips).flatten().copied().collect();
    assert_eq!(sound.len(), clips * 2 * 16_000);
    sound
}

fn samples_of(path: &std::path::Path) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("a recording");
    let data = bytes.windows(4).position(|four| four == b"data").expect("a data chunk") + 8;
    bytes[data..].as_chunks::<2>().0.iter().map(|word| i16::from_le_bytes(*word)).collect()
}

/// The same sound with a loud tone that the machine never made.
pub(crate) fn with_tone(sound: &[i16]) -> Vec<i16> {
    let step = std::f32::consts::TAU * 3100.0 / 16_000.0;
    let tone = (0..).map(|index| 3000.0 * (index as f32 * step).sin());
    sound.iter().zip(tone).map(|(&x, t)| x.saturating_add(t as i16)).collect()
}

pub(crate) fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A 16-bit WAV file at 16 kHz.
pub(crate) fn wav(samples: &[i16]) -> Vec<u8> {
    let data = bytes_of(samples);
    let mut bytes = wav_header(data.len() as u32);
    bytes.extend(data);
    bytes
}

/// The header of a WAV file that says how many bytes of sound follow; `u32::MAX` where nobody knows yet.
pub(crate) fn wav_header(data_bytes: u32) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(data_bytes.saturating_add(36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
    bytes.extend(data_bytes.to_le_bytes());
    bytes
}
