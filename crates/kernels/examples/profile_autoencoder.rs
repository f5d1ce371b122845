//! Times a training step of the official baseline's autoencoder.
//!
//! `cargo run --release -p offkey-kernels --example profile_autoencoder -- [rows] [rounds] [level]`
#![expect(clippy::print_stdout, reason = "the table is what the example is for")]

use std::time::Instant;

use offkey_kernels::autoencoder::AutoencoderSteps;
use offkey_kernels::simd::Level;

/// Features of the input and of each hidden layer.
const WIDTHS: [usize; 10] = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let rows: usize = args.next().map_or(Ok(256), |text| text.parse())?;
    let rounds: usize = args.next().map_or(Ok(50), |text| text.parse())?;
    let mut steps = AutoencoderSteps::new(&WIDTHS)?;
    if let Some(name) = args.next() {
        let level = Level::available().into_iter().find(|level| level.name() == name);
        steps = steps.on(level.ok_or("no such instruction set here")?)?;
    }
    let mut layers = steps.parameters();
    for (salt, parameters) in (0..).zip(&mut layers) {
        parameters.weight = noise(salt, parameters.weight.len());
        for gamma in parameters.gamma.iter_mut().flatten() {
            *gamma = 1.0;
        }
    }
    steps.set(&layers)?;
    let values = noise(1000, rows * WIDTHS[0]);
    let batch: Vec<&[f32]> = values.chunks(WIDTHS[0]).collect();
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        steps.step(&batch)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let (best, median) = (seconds[0], seconds[seconds.len() / 2]);
    let outputs = WIDTHS[1..].iter().chain(&WIDTHS[..1]);
    let all: usize = WIDTHS.iter().zip(outputs).map(|(inputs, outputs)| inputs * outputs).sum();
    // Forward, weights, and all inputs but the first.
    let work = 3 * all - WIDTHS[0] * WIDTHS[1];
    let gflops = 2.0 * (work * rows) as f64 / median / 1e9;
    println!(
        "step of {rows} rows: best {:.2} ms, median {:.2} ms, {gflops:.1} GFLOP/s",
        best * 1e3,
        median * 1e3
    );
    println!("level {}, {} threads", steps.level().name(), rayon::current_num_threads());
    Ok(())
}

fn noise(salt: u32, len: usize) -> Vec<f32> {
    (0..len)
        .map(|place| {
            let x = (place as u32).wrapping_mul(0x9e37_79b1) ^ salt.wrapping_mul(77_777);
            ((x ^ (x >> 15)).wrapping_mul(0x846c_a68b) >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}
