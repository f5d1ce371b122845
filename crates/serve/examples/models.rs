//! What models cost: loads one so often, each time as if it were another, and says how memory rises and how long it took.
//!
//!     cargo run --release -p offkey-serve --example models -- MODEL COPIES

#![expect(clippy::print_stdout, reason = "the numbers are what this program is for")]

use std::{fs, path::PathBuf, time::Instant};

use offkey_infer::Compute;
use offkey_monitor::Monitor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let path = PathBuf::from(words.next().ok_or("no model")?);
    let copies: usize = words.next().ok_or("no number of copies")?.parse()?;
    let mut models = Vec::new();
    println!("copies,memory_mb,seconds,judged");
    let begun = Instant::now();
    for copy in 0..=copies {
        if copy > 0 {
            models.push(Monitor::load(&path, Compute::default())?.for_judging());
        }
        if copy < 3 || copy == copies {
            // The same window always says the same: a change of what is held must not change it.
            let judged = models.first().map(|model: &Monitor| {
                let samples = model.card().windows.samples;
                let window: Vec<f32> =
                    (0..samples).map(|i| 0.1 * (i as f32 * 0.05).sin()).collect();
                model.judge(0, &window).map(|verdict| verdict.score.unwrap_or(f64::NAN).to_bits())
            });
            let judged = judged.transpose()?.unwrap_or_default();
            println!("{copy},{:.1},{:.2},{judged:x}", memory_mb(), begun.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

/// What this process holds in memory.
fn memory_mb() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    let kb = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0.0);
    kb / 1024.0
}
