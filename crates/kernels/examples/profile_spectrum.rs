//! Times the spectrum branch's forward and backward pass and its inference on the paper's spectra.
//!
//! `cargo run --release -p offkey-kernels --example profile_spectrum -- [clips] [rounds] [level]`
#![expect(clippy::print_stdout, reason = "the table is what the example is for")]

use std::time::Instant;

use offkey_kernels::simd::Level;
use offkey_kernels::spectrum::{
    SpectrumConfig, SpectrumInference, SpectrumPlan, SpectrumWorkspace,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let clips: usize = args.next().map_or(Ok(64), |text| text.parse())?;
    let rounds: usize = args.next().map_or(Ok(7), |text| text.parse())?;
    let mut plan = SpectrumPlan::new(SpectrumConfig::default())?;
    if let Some(name) = args.next() {
        let level = Level::available().into_iter().find(|level| level.name() == name);
        plan = plan.on(level.ok_or("no such instruction set here")?)?;
    }
    let weights: Vec<Vec<f32>> = (0..)
        .zip(plan.parameters())
        .map(|(salt, [filters, channels, taps])| {
            let scale = (3.0 / (channels * taps) as f32).sqrt();
            noise(salt, filters * channels * taps).iter().map(|value| scale * value).collect()
        })
        .collect();
    let weights: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let spectra = noise(1000, clips * plan.input_len());
    let slope = noise(2000, clips * plan.output_len());
    let mut out = vec![0.0; clips * plan.output_len()];
    let mut workspace = SpectrumWorkspace::default();
    let inference = SpectrumInference::new(plan.clone(), &weights)?;
    let mut seconds = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let start = Instant::now();
        plan.forward(&weights, &spectra, &mut workspace, &mut out)?;
        seconds[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        plan.backward(&weights, &slope, &mut workspace)?;
        seconds[1].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        inference.run(&spectra, &mut out)?;
        seconds[2].push(start.elapsed().as_secs_f64());
    }
    // Multiply-adds of one clip in all convolutions, and in all but the first, whose input needs
    // no gradient.
    let [all, further] = multiply_adds(&plan);
    let passes = [("forward", all), ("backward", all + further), ("inference", all)];
    for ((name, work), times) in passes.into_iter().zip(&mut seconds) {
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0], times[times.len() / 2]);
        let gflops = 2.0 * (work * clips) as f64 / median / 1e9;
        println!(
            "{name:9} {clips} clips: best {:7.2} ms, median {:7.2} ms, {gflops:6.1} GFLOP/s",
            best * 1e3,
            median * 1e3
        );
    }
    println!("level {}, {} threads", plan.level().name(), rayon::current_num_threads());
    Ok(())
}

fn multiply_adds(plan: &SpectrumPlan) -> [usize; 2] {
    let mut positions = plan.config().bins;
    let works: Vec<usize> = plan
        .parameters()
        .iter()
        .zip(&plan.config().strides)
        .map(|(shape, &stride)| {
            positions = positions.div_ceil(stride);
            positions * shape.iter().product::<usize>()
        })
        .collect();
    [works.iter().sum(), works[1..].iter().sum()]
}

fn noise(salt: u32, len: usize) -> Vec<f32> {
    (0..len)
        .map(|place| {
            let x = (place as u32).wrapping_mul(0x9e37_79b1) ^ salt.wrapping_mul(77_777);
            ((x ^ (x >> 15)).wrapping_mul(0x846c_a68b) >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}
