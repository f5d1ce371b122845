//! Times the spectrogram branch layer by layer on the paper's spectrograms.
//!
//! `cargo run --release -p offkey-kernels --example profile_step -- [clips] [rounds]`
#![expect(clippy::print_stdout, reason = "the table is what the example is for")]

use std::time::Instant;

use offkey_kernels::simd::Level;
use offkey_kernels::spectrogram::{SpectrogramConfig, SpectrogramPlan, Workspace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let clips: usize = args.next().map_or(Ok(64), |text| text.parse())?;
    let rounds: usize = args.next().map_or(Ok(7), |text| text.parse())?;
    let mut plan = SpectrogramPlan::new(SpectrogramConfig::default())?;
    if let Some(name) = args.next() {
        let level = Level::available().into_iter().find(|level| level.name() == name);
        plan = plan.on(level.ok_or("no such instruction set here")?)?;
    }
    let noise = |salt: usize, len: usize| -> Vec<f32> {
        (0..len)
            .map(|place| {
                let x = (place as u32).wrapping_mul(0x9e37_79b1) ^ (salt as u32 * 77_777);
                ((x ^ (x >> 15)).wrapping_mul(0x846c_a68b) >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    };
    let params: Vec<Vec<f32>> = plan
        .parameters()
        .iter()
        .enumerate()
        .map(|(salt, spec)| {
            let scale = spec.shape.get(1).map_or(0.2, |inputs| (2.0 / (*inputs as f32 * 9.0)).sqrt());
            let shift = if spec.name.ends_with("gamma") { 1.0 } else { 0.0 };
            noise(salt, spec.count()).iter().map(|value| shift + scale * value).collect()
        })
        .collect();
    let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    let spectra = noise(1000, clips * plan.input_len());
    let slope = noise(2000, clips * plan.output_len());
    let mut workspace = Workspace::new();
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        plan.forward(&params, &spectra, clips, &mut workspace)?;
        let middle = Instant::now();
        plan.backward(&params, &spectra, &slope, &mut workspace)?;
        forward.push((middle - start).as_secs_f64());
        backward.push(middle.elapsed().as_secs_f64());
    }
    for (name, times) in [("forward", &mut forward), ("backward", &mut backward)] {
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0] * 1e3, times[times.len() / 2] * 1e3);
        println!("{name:8} {clips} clips: best {best:7.1} ms, median {median:7.1} ms");
    }
    println!("level {}, workspace {} MB", plan.level().name(), workspace.bytes() / 1_000_000);
    Ok(())
}
