//! What made a run, how far it got, and what it cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde::{Deserialize, Serialize};

use crate::stages::{STAGES, Stage};

/// Provenance and cost of a run, written as `manifest.json`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Manifest, Recipe, RunFolder, RunRequest, Silent, Stage, SynthConfig, files, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let manifest: Manifest = files::read_json(&RunFolder::open_to_read(&out)?.manifest())?;
/// println!("seed {}, {:?} s of embedding", manifest.seed, manifest.seconds_of(Stage::Embed));
/// # assert_eq!(manifest.seed, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of offkey.
    pub version: String,
    /// Commit it was built from, where known.
    pub commit: Option<String>,
    /// Name of the recipe.
    pub recipe: String,
    /// Where the clips came from, as given.
    pub data: Vec<String>,
    /// SHA-256 over the sorted names and sizes of the clips.
    pub data_fingerprint: String,
    /// Year whose official score counts, as asked for or as the names say.
    pub year: Option<offkey_core::Year>,
    /// Seed of the run.
    pub seed: u64,
    /// Device and kernels asked for.
    pub compute: offkey_infer::Compute,
    /// Kernels that computed each branch in training.
    pub kernels: Vec<String>,
    /// CPU threads.
    pub threads: usize,
    /// Training clips and classes.
    pub training_clips: usize,
    /// Classes of the auxiliary task; 0 where nothing is trained.
    pub classes: usize,
    /// Trained numbers of the encoder.
    pub parameters: usize,
    /// Clips scored.
    pub test_clips: usize,
    /// Clips left out as unreadable.
    pub skipped_clips: usize,
    /// Stages whose files are whole and made from those of the stages before.
    #[serde(default)]
    pub done: BTreeSet<String>,
    /// Seconds of each stage, interrupted parts included.
    pub seconds: BTreeMap<String, f64>,
    /// Processor seconds of each stage, all threads together; absent where the system does not tell.
    pub cpu_seconds: BTreeMap<String, f64>,
    /// Clips through training steps per second.
    pub clips_per_second: Option<f64>,
    /// Largest resident memory of the process while one of the stages ran; absent where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
}

impl Manifest {
    /// Whether a stage need not be run again.
    pub(crate) fn is_done(&self, stage: Stage) -> bool {
        self.done.contains(stage.name())
    }

    /// Remembers that a stage is done.
    pub(crate) fn set_done(&mut self, stage: Stage) {
        self.done.insert(stage.name().to_owned());
    }

    /// Forgets that a stage and those that need it are done: their files are about to be out of date.
    pub(crate) fn undo_from(&mut self, stage: Stage) {
        for row in STAGES {
            if row.stage == stage || row.stage.depends_on(stage) {
                self.done.remove(row.name);
            }
        }
    }

    /// Seconds that a stage has taken.
    pub fn seconds_of(&self, stage: Stage) -> Option<f64> {
        self.seconds.get(stage.name()).copied()
    }

    /// Processor seconds that a stage has taken.
    pub fn cpu_seconds_of(&self, stage: Stage) -> Option<f64> {
        self.cpu_seconds.get(stage.name()).copied()
    }

    /// Forgets what a stage has cost so far.
    pub(crate) fn forget_cost(&mut self, stage: Stage) {
        self.seconds.remove(stage.name());
        self.cpu_seconds.remove(stage.name());
    }
}

/// Measures one stage.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    wall: std::time::Instant,
    cpu: Option<f64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        forget_peak_memory();
        Self { wall: std::time::Instant::now(), cpu: cpu_seconds() }
    }

    /// Adds what has passed to a stage's account.
    pub(crate) fn stop(self, manifest: &mut Manifest, stage: Stage) {
        let stage = stage.name();
        let seconds = self.wall.elapsed().as_secs_f64();
        *manifest.seconds.entry(stage.to_owned()).or_default() += seconds;
        if let (Some(before), Some(after)) = (self.cpu, cpu_seconds()) {
            *manifest.cpu_seconds.entry(stage.to_owned()).or_default() += after - before;
        }
        // A stage redone by itself needs less than training did.
        manifest.peak_memory_bytes = manifest.peak_memory_bytes.max(peak_memory_bytes());
    }
}

/// Processor seconds of this process, user and system, all threads.
fn cpu_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0; // USER_HZ, fixed at 100 in Linux's interface to programs
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

/// Begins the count of the largest resident memory anew, so that one of many trainings in a process is
/// not charged with what another needed. Where the system refuses, the count goes on.
fn forget_peak_memory() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Largest resident memory of this process since it was last forgotten.
fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
