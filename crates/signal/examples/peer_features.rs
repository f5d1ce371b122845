//! Times decoding, STFT, spectrum and log-mel of the files named, on one core, as JSON.
//!
//! `peer_features [--repeats N] FILE…` prints one object with, for each stage, the seconds for
//! all files together in each repeat. Python peers print the same shape for the same files.
#![expect(clippy::print_stdout, reason = "the timings are the program's result")]

use std::{error::Error, hint::black_box, path::PathBuf, time::Instant};

use offkey_signal::{DecodeConfig, LogMel, Stft, Waveform, decode, spectrum};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let (repeats, paths) = arguments()?;
    let config = DecodeConfig::default();
    let waves: Vec<Waveform> =
        paths.iter().map(|path| decode(path, &config)).collect::<Result<_, _>>()?;
    let audio_s: f64 = waves.iter().map(Waveform::duration_s).sum();
    let (stft, mel) = (Stft::default(), LogMel::default());
    let decode_s = timed(repeats, &paths, |path| decode(path, &config).is_ok());
    let stft_s = timed(repeats, &waves, |wave| stft.magnitude(&wave.samples).is_ok());
    let spectrum_s = timed(repeats, &waves, |wave| spectrum(&wave.samples));
    let log_mel_s = timed(repeats, &waves, |wave| mel.log_mel(&wave.samples).is_ok());
    let all_s = timed(repeats, &paths, |path| {
        let wave = decode(path, &config);
        wave.map(|wave| (stft.magnitude(&wave.samples).is_ok(), spectrum(&wave.samples))).is_ok()
    });
    println!(
        "{}",
        json!({
            "clips": paths.len(), "audio_s": audio_s, "decode_s": decode_s, "stft_s": stft_s,
            "spectrum_s": spectrum_s, "log_mel_s": log_mel_s, "decode_stft_spectrum_s": all_s,
        })
    );
    Ok(())
}

fn arguments() -> Result<(usize, Vec<PathBuf>), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut repeats = 5;
    if arguments.next_if_eq("--repeats").is_some() {
        repeats = arguments.next().ok_or("--repeats needs a number")?.parse()?;
    }
    let paths: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err("usage: peer_features [--repeats N] FILE…".into());
    }
    Ok((repeats, paths))
}

/// Seconds that the job takes over all items, once per repeat, after one round to warm up.
fn timed<T, R>(repeats: usize, items: &[T], job: impl Fn(&T) -> R) -> Vec<f64> {
    let round = || {
        let start = Instant::now();
        for item in items {
            black_box(job(item));
        }
        start.elapsed().as_secs_f64()
    };
    round();
    (0..repeats).map(|_| round()).collect()
}
