//! Times decoding, STFT, spectrum and log-mel of the files named, on one core, as JSON.
//!
//! `peer_features [--repeats N] [--only STAGE] FILE…` prints one object with, for each stage, the
//! seconds for all files together in each repeat. Python peers print the same shape for the same
//! files. One stage alone lets a caller measure its processor time on a busy machine.
#![expect(clippy::print_stdout, reason = "the timings are the program's result")]

use std::{error::Error, hint::black_box, path::PathBuf, time::Instant};

use offkey_signal::{DecodeConfig, LogMel, Stft, Waveform, decode, spectrum};
use serde_json::{Map, json};

const USAGE: &str = "usage: peer_features [--repeats N] [--only STAGE] FILE…";

struct Arguments {
    repeats: usize,
    only: Option<String>,
    paths: Vec<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { repeats, only, paths } = arguments()?;
    let config = DecodeConfig::default();
    let waves: Vec<Waveform> =
        paths.iter().map(|path| decode(path, &config)).collect::<Result<_, _>>()?;
    let audio_s: f64 = waves.iter().map(Waveform::duration_s).sum();
    let (stft, mel) = (Stft::default(), LogMel::default());
    let clips: Vec<usize> = (0..paths.len()).collect();
    let decoded = |clip: usize| decode(&paths[clip], &config).is_ok();
    let all = |clip: usize| {
        let wave = decode(&paths[clip], &config);
        wave.map(|wave| (stft.magnitude(&wave.samples).is_ok(), spectrum(&wave.samples))).is_ok()
    };
    let samples = |clip: usize| waves[clip].samples.as_slice();
    let stages: [(&str, &dyn Fn(usize) -> bool); 5] = [
        ("decode_s", &decoded),
        ("stft_s", &|clip| stft.magnitude(samples(clip)).is_ok()),
        ("spectrum_s", &|clip| !spectrum(samples(clip)).is_empty()),
        ("log_mel_s", &|clip| mel.log_mel(samples(clip)).is_ok()),
        ("decode_stft_spectrum_s", &all),
    ];
    let mut result = Map::new();
    result.insert("clips".to_owned(), json!(paths.len()));
    result.insert("audio_s".to_owned(), json!(audio_s));
    for (name, job) in stages {
        if only.as_deref().is_none_or(|only| name.strip_suffix("_s") == Some(only)) {
            result.insert(name.to_owned(), json!(timed(repeats, &clips, job)));
        }
    }
    println!("{}", serde_json::Value::Object(result));
    Ok(())
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut words = std::env::args().skip(1).peekable();
    let (mut repeats, mut only) = (5, None);
    if words.next_if_eq("--repeats").is_some() {
        repeats = words.next().ok_or(USAGE)?.parse()?;
    }
    if words.next_if_eq("--only").is_some() {
        only = Some(words.next().ok_or(USAGE)?);
    }
    let paths: Vec<PathBuf> = words.map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err(USAGE.into());
    }
    Ok(Arguments { repeats, only, paths })
}

/// Seconds that the job takes over all clips, once per repeat, after one round to warm up.
fn timed(repeats: usize, clips: &[usize], job: &dyn Fn(usize) -> bool) -> Vec<f64> {
    let round = || {
        let start = Instant::now();
        for clip in clips {
            black_box(job(*clip));
        }
        start.elapsed().as_secs_f64()
    };
    round();
    (0..repeats).map(|_| round()).collect()
}
