//! Trains or embeds one unit of work for each line read from standard input.
//!
//! `peer_step <train|infer> CLIPS [cpu|gpu]` prints `{"ready": ...}` when it is built and warm, then for each
//! line `{"ms": ...}`, and at the end of the input `{"peak_mb": ...}`, as
//! `benches/peers/torch_worker.py` does. `RAYON_NUM_THREADS` sets the threads.
//!
//! A training step is the complete one through [`offkey_train::train`]: mixup, features, encoder,
//! sub-cluster AdaCos over 342 classes of 16 trainable centres, L2 penalty, gradients, Adam. A
//! graphics card needs a build with the cargo feature `gpu`.
#![expect(clippy::print_stdout, reason = "the timings are the program's result")]

use std::{
    error::Error,
    io::{BufRead, Write},
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

use offkey_core::Seed;
use offkey_infer::{ClipSource, Compute, DeviceKind, Encoder, EncoderConfig, SourceError};
use offkey_train::{
    Labels, LossConfig, StepEvent, TrainConfig, TrainJob, TrainLength, TrainObserver, load_encoder,
    loss::{LossRegistry, SubClusterAdaCosConfig},
    train,
};

const CLASSES: usize = 342;
const WARM_UP_STEPS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let work = arguments.next().ok_or("expected `train` or `infer`")?;
    let clips: usize = arguments.next().ok_or("expected a number of clips")?.parse()?;
    let device = match arguments.next().as_deref() {
        None | Some("cpu") => DeviceKind::Cpu,
        Some("gpu") => DeviceKind::Gpu,
        Some(other) => return Err(format!("unknown device `{other}`").into()),
    };
    let compute = Compute { device, ..Compute::default() };
    let folder = tempfile::tempdir()?;
    match work.as_str() {
        "train" => train_steps(clips, compute, folder.path(), &mut Timed::default())?,
        "infer" => infer(clips, compute, folder.path())?,
        other => return Err(format!("unknown work `{other}`").into()),
    }
    println!("{{\"peak_mb\": {}}}", peak_mb()?);
    Ok(())
}

/// Noise clips made once.
struct Noise(Vec<Vec<f32>>);

impl Noise {
    fn new(clips: usize, samples: usize) -> Self {
        let sample = |clip: usize, place: usize| {
            let mut x = (clip * samples + place) as u32;
            x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
            x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
            0.1 * ((x >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        let wave = |clip| (0..samples).map(|place| sample(clip, place)).collect();
        Self((0..clips).map(wave).collect())
    }
}

impl ClipSource for Noise {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn wave(&self, index: usize, _seed: Seed) -> Result<Vec<f32>, SourceError> {
        Ok(self.0[index].clone())
    }
}

fn train_steps(
    clips: usize,
    compute: Compute,
    folder: &Path,
    observer: &mut dyn TrainObserver,
) -> Result<(), Box<dyn Error>> {
    let encoder = EncoderConfig::default();
    // One epoch of many steps: nothing but steps happens between two of them.
    let source = Repeated(Noise::new(clips, encoder.clip_samples()), 100_000);
    let labels = Labels {
        classes: CLASSES,
        of_clip: (0..source.len()).map(|clip| (clip % CLASSES) as u32).collect(),
    };
    train(
        &TrainJob {
            source: &source,
            labels: &labels,
            encoder: &encoder,
            loss: &LossConfig::SubClusterAdacos(SubClusterAdaCosConfig::default())
                .with_trainable_centres(),
            losses: &LossRegistry::default(),
            train: &TrainConfig {
                batch_clips: clips,
                length: TrainLength::Epochs(1),
                ..TrainConfig::default()
            },
            seed: Seed::new(7),
            compute,
            folder,
            resume: false,
        },
        observer,
    )?;
    Ok(())
}

/// The same clips over and over, without their memory.
struct Repeated(Noise, usize);

impl ClipSource for Repeated {
    fn len(&self) -> usize {
        self.1
    }

    fn wave(&self, index: usize, seed: Seed) -> Result<Vec<f32>, SourceError> {
        self.0.wave(index % self.0.len(), seed)
    }
}

/// Waits for a line before every step but the first few, and prints how long it took.
#[derive(Default)]
struct Timed {
    start: Option<Instant>,
}

impl TrainObserver for Timed {
    fn step(&mut self, step: &StepEvent) -> ControlFlow<()> {
        if step.step + 1 < WARM_UP_STEPS {
            return ControlFlow::Continue(());
        }
        let printed = match self.start {
            None => ready(),
            Some(start) => took(start),
        };
        if printed.is_err() || !wait() {
            return ControlFlow::Break(());
        }
        self.start = Some(Instant::now());
        ControlFlow::Continue(())
    }
}

fn infer(clips: usize, compute: Compute, folder: &Path) -> Result<(), Box<dyn Error>> {
    let encoder = untrained(compute, folder)?;
    let waves = Noise::new(clips, encoder.config().clip_samples()).0;
    for _ in 0..WARM_UP_STEPS {
        encoder.embed(&waves)?;
    }
    ready()?;
    while wait() {
        let start = Instant::now();
        encoder.embed(&waves)?;
        took(start)?;
    }
    Ok(())
}

/// An encoder after one epoch of one step on two clips.
fn untrained(compute: Compute, folder: &Path) -> Result<Encoder, Box<dyn Error>> {
    let config = EncoderConfig::default();
    let job = TrainJob {
        source: &Noise::new(2, config.clip_samples()),
        labels: &Labels { classes: 2, of_clip: vec![0, 1] },
        encoder: &config,
        loss: &LossConfig::SubClusterAdacos(SubClusterAdaCosConfig::default()),
        losses: &LossRegistry::default(),
        train: &TrainConfig { length: TrainLength::Epochs(1), ..TrainConfig::default() },
        seed: Seed::new(7),
        compute,
        folder,
        resume: false,
    };
    train(&job, &mut Onward)?;
    Ok(load_encoder(folder, &offkey_infer::BranchRegistry::default(), compute)?)
}

/// Lets training run to its end.
struct Onward;

impl TrainObserver for Onward {
    fn step(&mut self, _step: &StepEvent) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn ready() -> Result<(), Box<dyn Error>> {
    println!("{{\"ready\": \"offkey {}\"}}", env!("CARGO_PKG_VERSION"));
    Ok(std::io::stdout().flush()?)
}

fn took(start: Instant) -> Result<(), Box<dyn Error>> {
    println!("{{\"ms\": {}}}", start.elapsed().as_secs_f64() * 1e3);
    Ok(std::io::stdout().flush()?)
}

/// Waits for a line; false at the end of the input.
fn wait() -> bool {
    std::io::stdin().lock().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0)
}

/// The most memory this process has held, by the kernel's account.
fn peak_mb() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}
