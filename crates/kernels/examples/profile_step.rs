//! Times the spectrogram branch on the paper's spectrograms: forward and backward pass of a training
//! step, and inference.
//!
//! `cargo run --release -p offkey-kernels --example profile_step -- [clips] [rounds] [level]`
//!
//! Beside the clock's time stands the processor time of all threads, which other work on the
//! machine disturbs less (Linux alone has it).
#![expect(clippy::print_stdout, reason = "the table is what the example is for")]

use std::time::Instant;

use offkey_kernels::simd::Level;
use offkey_kernels::spectrogram::{
    ParameterSpec, SpectrogramConfig, SpectrogramInference, SpectrogramPlan, Workspace,
};

/// Multiply-adds of the branch for one clip of 10 s, forward.
const PRODUCTS: f64 = 372.1e6;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let clips: usize = args.next().map_or(Ok(64), |text| text.parse())?;
    let rounds: usize = args.next().map_or(Ok(7), |text| text.parse())?;
    let mut plan = SpectrogramPlan::new(SpectrogramConfig::default())?;
    if let Some(name) = args.next() {
        let level = Level::available().into_iter().find(|level| level.name() == name);
        plan = plan.on(level.ok_or("no such instruction set here")?)?;
    }
    println!("{clips} clips, {}, {} threads", plan.level().name(), rayon::current_num_threads());

    let params = parameters(&plan);
    let params: Vec<&[f32]> = params.iter().map(Vec::as_slice).collect();
    let spectra = noise(1000, clips * plan.input_len());
    let slope = noise(2000, clips * plan.output_len());
    let mut workspace = Workspace::new();
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let mut running = Vec::new();
    for _ in 0..rounds {
        let start = Stamp::now();
        running = plan.forward(&params, &spectra, clips, &mut workspace)?.statistics;
        times[0].push(start.elapsed());
        let start = Stamp::now();
        plan.backward(&params, &spectra, &slope, &mut workspace)?;
        times[1].push(start.elapsed());
    }
    let inference = SpectrogramInference::new(plan, &params, &running)?;
    for _ in 0..rounds {
        let start = Stamp::now();
        inference.embed(&spectra, clips)?;
        times[2].push(start.elapsed());
    }
    for (name, factor, times) in
        [("forward", 1.0, &times[0]), ("backward", 2.0, &times[1]), ("inference", 1.0, &times[2])]
    {
        report(name, factor * 2.0 * PRODUCTS * clips as f64, times);
    }
    println!("workspace {} MB", workspace.bytes() / 1_000_000);
    Ok(())
}

/// Best and median of clock and processor time, and the arithmetic rate a core of direct convolution
/// would need for it.
fn report(name: &str, operations: f64, times: &[[f64; 2]]) {
    let sorted = |which: usize| {
        let mut values: Vec<f64> = times.iter().map(|time| time[which] * 1e3).collect();
        values.sort_by(f64::total_cmp);
        (values[0], values[values.len() / 2])
    };
    let ((clock, clock_median), (cpu, cpu_median)) = (sorted(0), sorted(1));
    println!(
        "{name:9} clock {clock:7.1} ms (median {clock_median:7.1}), \
         processor {cpu:7.1} ms (median {cpu_median:7.1}), {:5.1} GFLOP/s a core",
        operations / cpu / 1e6
    );
}

struct Stamp {
    clock: Instant,
    cpu: f64,
}

impl Stamp {
    fn now() -> Self {
        Self { clock: Instant::now(), cpu: cpu_seconds() }
    }

    fn elapsed(&self) -> [f64; 2] {
        [self.clock.elapsed().as_secs_f64(), cpu_seconds() - self.cpu]
    }
}

/// Seconds that all threads have run; the clock's where the system does not say.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// Numbers in [-1, 1) that look like noise.
fn noise(salt: usize, len: usize) -> Vec<f32> {
    let value = |place: usize| {
        let x = (place as u32).wrapping_mul(0x9e37_79b1) ^ (salt as u32).wrapping_mul(77_777);
        ((x ^ (x >> 15)).wrapping_mul(0x846c_a68b) >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(value).collect()
}

/// Kernels of a size that keeps activations in range, gains around 1.
fn parameters(plan: &SpectrogramPlan) -> Vec<Vec<f32>> {
    let draw = |(salt, spec): (usize, &ParameterSpec)| {
        let scale = spec.shape.get(1).map_or(0.2, |inputs| (2.0 / (*inputs as f32 * 9.0)).sqrt());
        let shift = if spec.name.ends_with("gamma") { 1.0 } else { 0.0 };
        noise(salt, spec.count()).iter().map(|value| shift + scale * value).collect()
    };
    plan.parameters().iter().enumerate().map(draw).collect()
}
