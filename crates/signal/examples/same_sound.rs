//! Which recordings share sound, and what taking and comparing fingerprints costs.
//!
//! ```text
//! cargo run --release -p offkey-signal --example same_sound -- RATE_HZ RECORDING...
//! ```
//!
//! One line per pair that shares sound: both names, the seconds shared, the share of bits that differ.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::{path::PathBuf, time::Instant};

use offkey_signal::{DecodeConfig, Fingerprint, FingerprintIndex, Fingerprinter, decode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let rate_hz = words.next().ok_or("first word: the rate in Hz")?.parse()?;
    let paths: Vec<PathBuf> = words.map(PathBuf::from).collect();
    let config = DecodeConfig { rate_hz: Some(rate_hz), ..DecodeConfig::default() };
    let mut prints = Vec::new();
    let mut taking_s = 0.0;
    for path in &paths {
        let sound = decode(path, &config)?.samples;
        let begin = Instant::now();
        let mut printer = Fingerprinter::new(rate_hz);
        printer.push(&sound);
        prints.push(printer.finish());
        taking_s += begin.elapsed().as_secs_f64();
    }
    let begin = Instant::now();
    let kept: Vec<_> = prints.iter().map(Fingerprint::sparse).collect();
    let index = FingerprintIndex::new(kept.iter().collect());
    for (number, print) in prints.iter().enumerate() {
        for shared in index.shared(print, number) {
            println!(
                "{} and {}: {:.2} of {:.2} and {:.2} s, {:.1} % of the bits differ",
                paths[number].display(),
                paths[shared.known].display(),
                shared.shared_s,
                shared.lengths_s.0,
                shared.lengths_s.1,
                100.0 * shared.differing
            );
        }
    }
    let comparing_s = begin.elapsed().as_secs_f64();
    eprintln!("{} recordings: {taking_s:.2} s to take, {comparing_s:.2} s to compare", paths.len());
    Ok(())
}
