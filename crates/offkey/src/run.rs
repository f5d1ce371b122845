//! A run, from recordings to a page: all stages in order, for one seed or several.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use offkey_core::{Clip, Seed, Split, Year, table};
use offkey_embed::Compute;
use offkey_eval::Metrics;
use serde::{Deserialize, Serialize};

use crate::{
    Existing, Manifest, OffkeyError, Progress, Recipe, RunFolder, audio::WaveCache,
    manifest::Stopwatch, run_folder, stage,
};

/// Everything asked of a run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Folders or manifest CSVs.
    pub data: Vec<PathBuf>,
    /// Truth and attribute files that are not beside the recordings.
    pub truth: Vec<PathBuf>,
    /// The recipe.
    pub recipe: Recipe,
    /// The run's folder.
    pub out: PathBuf,
    /// What to do where the folder holds something already.
    pub existing: Existing,
    /// One seed, or several trials.
    pub seeds: Seeds,
    /// Year whose official score counts; none: as the names say.
    pub year: Option<Year>,
    /// Where to compute.
    pub compute: Compute,
    /// Whether to go on without recordings that cannot be used.
    pub skip_bad: bool,
    /// Bound of the memory for decoded recordings.
    pub cache_bytes: u64,
}

/// One seed, or several trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// One run, in the folder itself.
    One(u64),
    /// One run a seed, each in a subfolder `seed_<n>`, and their mean and deviation.
    Each(RangeInclusive<u64>),
}

/// What `metrics.json` holds: the metrics, and what they cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// The metrics.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Seconds of training, of several seeds the mean.
    pub train_seconds: Option<f64>,
    /// Clips through training steps per second, of several seeds the mean.
    pub clips_per_second: Option<f64>,
    /// Largest resident memory, of several seeds the largest.
    pub peak_memory_bytes: Option<u64>,
}

/// A run that is open: its folder, locked, and what every stage needs.
pub(crate) struct Run<'a> {
    pub(crate) folder: RunFolder,
    pub(crate) recipe: Recipe,
    pub(crate) clips: Vec<Clip>,
    pub(crate) manifest: Manifest,
    pub(crate) cache: Arc<WaveCache>,
    pub(crate) progress: &'a dyn Progress,
}

/// Memory for decoded recordings where a caller does not say: 512 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 512 << 20;

/// Trains, embeds, scores, evaluates and reports, for each seed asked for.
///
/// # Errors
/// [`OffkeyError`]; whatever was finished before stays in the folder and can be resumed.
pub fn run(request: &RunRequest, progress: &dyn Progress) -> Result<RunMetrics, OffkeyError> {
    let cache = Arc::new(WaveCache::new(request.cache_bytes));
    match &request.seeds {
        Seeds::One(seed) => run_one(request, &request.out, *seed, &cache, progress),
        Seeds::Each(seeds) => run_each(request, seeds.clone(), &cache, progress),
    }
}

fn run_each(
    request: &RunRequest,
    seeds: RangeInclusive<u64>,
    cache: &Arc<WaveCache>,
    progress: &dyn Progress,
) -> Result<RunMetrics, OffkeyError> {
    let folder = RunFolder::create(&request.out, request.existing)?;
    run_folder::write_atomically(&folder.recipe(), request.recipe.to_toml().as_bytes())?;
    let mut trials = Vec::new();
    for seed in seeds {
        let out = request.out.join(format!("seed_{seed}"));
        trials.push((seed, run_one(request, &out, seed, cache, progress)?));
    }
    let metrics = combine(&trials)?;
    run_folder::write_json(&folder.metrics(), &metrics)?;
    stage::report::write_trials(&folder, &request.recipe, &metrics)?;
    Ok(metrics)
}

fn combine(trials: &[(u64, RunMetrics)]) -> Result<RunMetrics, OffkeyError> {
    let metrics: Vec<(Seed, Metrics)> =
        trials.iter().map(|(seed, trial)| (Seed::new(*seed), trial.metrics.clone())).collect();
    let mean = |of: fn(&RunMetrics) -> Option<f64>| {
        let values: Vec<f64> = trials.iter().filter_map(|(_, trial)| of(trial)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Ok(RunMetrics {
        metrics: offkey_eval::aggregate(&metrics)?,
        train_seconds: mean(|trial| trial.train_seconds),
        clips_per_second: mean(|trial| trial.clips_per_second),
        peak_memory_bytes: trials.iter().filter_map(|(_, trial)| trial.peak_memory_bytes).max(),
    })
}

fn run_one(
    request: &RunRequest,
    out: &Path,
    seed: u64,
    cache: &Arc<WaveCache>,
    progress: &dyn Progress,
) -> Result<RunMetrics, OffkeyError> {
    let folder = RunFolder::create(out, request.existing)?;
    let resume = request.existing == Existing::Resume;
    if resume && folder.metrics().is_file() {
        return run_folder::read_json(&folder.metrics());
    }
    let mut run = stage::prepare::prepare(request, folder, seed, Arc::clone(cache), progress)?;
    run.train(resume)?;
    run.embed()?;
    run.score()?;
    let metrics = run.evaluate()?;
    run.report()?;
    Ok(metrics)
}

/// Trains the model of a run again, from the clips it knows.
///
/// # Errors
/// [`OffkeyError`], among them when the run is absent or in use.
pub fn train(root: &Path, resume: bool, progress: &dyn Progress) -> Result<(), OffkeyError> {
    Run::open(root, progress)?.train(resume)
}

/// Redoes a run's embeddings from its model.
///
/// # Errors
/// [`OffkeyError`], among them when there is no model.
pub fn embed(root: &Path, progress: &dyn Progress) -> Result<(), OffkeyError> {
    Run::open(root, progress)?.embed()
}

/// Redoes a run's scores and decisions from its embeddings.
///
/// # Errors
/// [`OffkeyError`], among them when there are no embeddings.
pub fn score(root: &Path, progress: &dyn Progress) -> Result<(), OffkeyError> {
    Run::open(root, progress)?.score()
}

/// Redoes a run's metrics from its scores; of a folder of several seeds, their mean and deviation.
///
/// # Errors
/// [`OffkeyError`], among them when there are no scores.
pub fn evaluate(
    root: &Path,
    year: Option<Year>,
    progress: &dyn Progress,
) -> Result<RunMetrics, OffkeyError> {
    let seeds = seed_folders(root)?;
    if seeds.is_empty() {
        let mut run = Run::open(root, progress)?;
        run.manifest.year = year.or(run.manifest.year);
        return run.evaluate();
    }
    let folder = RunFolder::open(root)?;
    let trials: Vec<(u64, RunMetrics)> = seeds
        .into_iter()
        .map(|(seed, path)| Ok((seed, evaluate(&path, year, progress)?)))
        .collect::<Result<_, OffkeyError>>()?;
    let metrics = combine(&trials)?;
    run_folder::write_json(&folder.metrics(), &metrics)?;
    Ok(metrics)
}

/// Arranges a run's embeddings on a plane by t-SNE; returns where the picture is.
///
/// # Errors
/// [`OffkeyError`], among them when there are no embeddings.
pub fn map(root: &Path, progress: &dyn Progress) -> Result<PathBuf, OffkeyError> {
    Run::open(root, progress)?.map()
}

/// Writes a run's page again.
///
/// # Errors
/// [`OffkeyError`], among them when there are no metrics.
pub fn report(root: &Path, progress: &dyn Progress) -> Result<PathBuf, OffkeyError> {
    if seed_folders(root)?.is_empty() {
        return Run::open(root, progress)?.report();
    }
    let folder = RunFolder::open(root)?;
    let recipe = Recipe::read(&folder.recipe())?;
    stage::report::write_trials(&folder, &recipe, &run_folder::read_json(&folder.metrics())?)
}

/// The subfolders of a run of several seeds, in the order of seeds.
fn seed_folders(root: &Path) -> Result<Vec<(u64, PathBuf)>, OffkeyError> {
    RunFolder::open_to_read(root)?;
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(root).map_err(OffkeyError::io(root))? {
        let path = entry.map_err(OffkeyError::io(root))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(seed) = name.strip_prefix("seed_").and_then(|n| n.parse().ok()) {
            seeds.push((seed, path));
        }
    }
    seeds.sort_unstable();
    Ok(seeds)
}

impl<'a> Run<'a> {
    /// Opens a run to redo a stage.
    pub(crate) fn open(root: &Path, progress: &'a dyn Progress) -> Result<Self, OffkeyError> {
        let folder = RunFolder::open(root)?;
        Ok(Self {
            recipe: Recipe::read(&folder.recipe())?,
            clips: table::read_csv(&folder.clips())?,
            manifest: run_folder::read_json(&folder.manifest())?,
            cache: Arc::new(WaveCache::new(DEFAULT_CACHE_BYTES)),
            folder,
            progress,
        })
    }

    /// The clips of one split, in order.
    pub(crate) fn clips_of(&self, split: Split) -> Vec<&Clip> {
        self.clips.iter().filter(|clip| clip.split == split).collect()
    }

    /// Runs a stage's work and books its cost.
    pub(crate) fn timed<T>(
        &mut self,
        stage: &str,
        work: impl FnOnce(&mut Self) -> Result<T, OffkeyError>,
    ) -> Result<T, OffkeyError> {
        let watch = Stopwatch::start();
        self.manifest.seconds.remove(stage);
        self.manifest.cpu_seconds.remove(stage);
        let result = work(self)?;
        watch.stop(&mut self.manifest, stage);
        run_folder::write_json(&self.folder.manifest(), &self.manifest)?;
        tracing::info!(stage, seconds = self.manifest.seconds[stage], "stage done");
        Ok(result)
    }
}
