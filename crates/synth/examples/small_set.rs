//! Writes a small synthetic data set: `small_set OUT [CLIPS [SNR_DB [MACHINES [SEED]]]]`.
#![expect(clippy::print_stdout, reason = "the counts are the program's result")]

use std::{env, error::Error, path::Path, time::Instant};

use offkey_synth::{SynthConfig, generate};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let out = arguments.first().ok_or("usage: small_set OUT [CLIPS [SNR_DB [MACHINES [SEED]]]]")?;
    let mut config = SynthConfig::default();
    if let Some(clips) = arguments.get(1) {
        config.clips = clips.parse()?;
    }
    if let Some(snr_db) = arguments.get(2) {
        config.snr_db = snr_db.parse()?;
    }
    if let Some(machines) = arguments.get(3) {
        config.machines = machines.parse()?;
    }
    if let Some(seed) = arguments.get(4) {
        config.seed = seed.parse()?;
    }
    let start = Instant::now();
    let report = generate(&config, Path::new(out), &|_| true)?;
    println!("{report:?} in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
