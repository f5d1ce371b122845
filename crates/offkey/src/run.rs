//! A run, from recordings to a page: all stages in order, for one seed or several.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use offkey_core::{Clip, Dataset, Seed, Split, Year, table};
use offkey_eval::Metrics;
use offkey_infer::{Compute, DeviceKind};
use serde::{Deserialize, Serialize};

use crate::{
    Existing, Manifest, ModelConfig, OffkeyError, PAGE_MASKS, Progress, Recipe, RunFolder, files,
    manifest::Stopwatch,
    run_folder::{self, seed_folders},
    stage::{self, AgainstColumn},
    wave_cache::WaveCache,
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

/// Memory for decoded recordings where a caller does not say: 256 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 256 << 20;

/// Trains, embeds, scores, evaluates and reports, for each seed asked for.
///
/// # Errors
/// [`OffkeyError`]; whatever was finished before stays in the folder and can be resumed.
pub fn run(request: &RunRequest, progress: &dyn Progress) -> Result<RunMetrics, OffkeyError> {
    if request.compute.device == DeviceKind::Gpu && !cfg!(feature = "gpu") {
        return Err(OffkeyError::NoGpu);
    }
    let dataset = Dataset::read_all(&request.data, &request.truth)?;
    let cache = Arc::new(WaveCache::new(request.cache_bytes));
    match &request.seeds {
        Seeds::One(seed) => run_one(request, dataset, &request.out, *seed, &cache, progress),
        Seeds::Each(seeds) => run_each(request, &dataset, seeds.clone(), &cache, progress),
    }
}

fn run_each(
    request: &RunRequest,
    dataset: &Dataset,
    seeds: RangeInclusive<u64>,
    cache: &Arc<WaveCache>,
    progress: &dyn Progress,
) -> Result<RunMetrics, OffkeyError> {
    let folder = RunFolder::create(&request.out, request.existing)?;
    if request.existing == Existing::Replace {
        folder.clear()?;
    }
    files::write_atomically(&folder.recipe(), request.recipe.to_toml().as_bytes())?;
    let mut trials = Vec::new();
    for seed in seeds {
        let out = request.out.join(format!("seed_{seed}"));
        trials.push((seed, run_one(request, dataset.clone(), &out, seed, cache, progress)?));
    }
    let metrics = combine(&trials)?;
    files::write_json(&folder.metrics(), &metrics)?;
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
    dataset: Dataset,
    out: &Path,
    seed: u64,
    cache: &Arc<WaveCache>,
    progress: &dyn Progress,
) -> Result<RunMetrics, OffkeyError> {
    let folder = RunFolder::create(out, request.existing)?;
    let mut run =
        stage::prepare::prepare(request, dataset, folder, seed, Arc::clone(cache), progress)?;
    if !run.manifest.is_done("train") {
        run.train(request.existing == Existing::Resume)?;
    }
    if !run.manifest.is_done("embed") {
        run.embed()?;
    }
    if !run.manifest.is_done("score") {
        run.score()?;
    }
    let metrics = if run.manifest.is_done("evaluate") {
        files::read_json(&run.folder.metrics())?
    } else {
        run.evaluate()?
    };
    if !run.manifest.is_done("report") {
        run.report(PAGE_MASKS)?;
    }
    Ok(metrics)
}

/// Trains the model of a run again, from the clips it knows; with `resume` only what is missing.
/// Of a folder of several seeds, this and the other stages redo each.
///
/// # Errors
/// [`OffkeyError`], among them when the run is absent or in use.
pub fn train(root: &Path, resume: bool, progress: &dyn Progress) -> Result<(), OffkeyError> {
    for_each_seed(root, |root| {
        let mut run = Run::open(root, progress)?;
        if resume && run.manifest.is_done("train") {
            return Ok(());
        }
        run.train(resume)
    })
}

/// Redoes a run's embeddings from its model.
///
/// # Errors
/// [`OffkeyError`], among them when there is no model.
pub fn embed(root: &Path, progress: &dyn Progress) -> Result<(), OffkeyError> {
    for_each_seed(root, |root| Run::open(root, progress)?.embed())
}

/// Redoes a run's scores and decisions from its embeddings.
///
/// # Errors
/// [`OffkeyError`], among them when there are no embeddings.
pub fn score(root: &Path, progress: &dyn Progress) -> Result<(), OffkeyError> {
    for_each_seed(root, |root| Run::open(root, progress)?.score())
}

/// Does a stage's work on a run, or on every run of a folder of several seeds.
fn for_each_seed(
    root: &Path,
    work: impl Fn(&Path) -> Result<(), OffkeyError>,
) -> Result<(), OffkeyError> {
    RunFolder::open_to_read(root)?;
    let seeds = seed_folders(root)?;
    if seeds.is_empty() {
        return work(root);
    }
    let _locked = RunFolder::open(root)?;
    seeds.iter().try_for_each(|(_, seed)| work(seed))
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
    RunFolder::open_to_read(root)?;
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
    files::write_json(&folder.metrics(), &metrics)?;
    Ok(metrics)
}

/// Arranges a run's embeddings on a plane by t-SNE; returns where the picture is.
///
/// # Errors
/// [`OffkeyError`], among them when there are no embeddings.
pub fn map(root: &Path, progress: &dyn Progress) -> Result<PathBuf, OffkeyError> {
    run_folder::refuse_several_seeds(root)?;
    let mut run = Run::open(root, progress)?;
    if matches!(run.recipe.model, ModelConfig::Autoencoder(_)) {
        return Err(OffkeyError::NothingToMap);
    }
    run.map()
}

/// Writes a run's page again, the clips it shows explained with up to `masks` masks each: see
/// [`PAGE_MASKS`]; 0 leaves explanations out. Scores are drawn against the columns given, on this
/// page and on later ones.
///
/// # Errors
/// [`OffkeyError`], among them when there are no metrics.
pub fn report(
    root: &Path,
    masks: usize,
    against: &[AgainstColumn],
    progress: &dyn Progress,
) -> Result<PathBuf, OffkeyError> {
    RunFolder::open_to_read(root)?;
    let seeds = seed_folders(root)?;
    if seeds.is_empty() {
        let mut run = Run::open(root, progress)?;
        run.add_covariates(against)?;
        return run.report(masks);
    }
    for (_, seed) in seeds {
        report(&seed, masks, against, progress)?;
    }
    let folder = RunFolder::open(root)?;
    let recipe = Recipe::read(&folder.recipe())?;
    stage::report::write_trials(&folder, &recipe, &files::read_json(&folder.metrics())?)
}

impl<'a> Run<'a> {
    /// Opens a run to redo a stage.
    pub(crate) fn open(root: &Path, progress: &'a dyn Progress) -> Result<Self, OffkeyError> {
        let folder = RunFolder::open(root)?;
        Ok(Self {
            recipe: Recipe::read(&folder.recipe())?,
            clips: table::read_csv(&folder.clips())?,
            manifest: files::read_json(&folder.manifest())?,
            cache: Arc::new(WaveCache::new(DEFAULT_CACHE_BYTES)),
            folder,
            progress,
        })
    }

    /// The clips of one split, in order.
    pub(crate) fn clips_of(&self, split: Split) -> Vec<&Clip> {
        self.clips.iter().filter(|clip| clip.split == split).collect()
    }

    /// Runs a stage's work from its beginning, and books what it cost and that it is done.
    pub(crate) fn timed<T>(
        &mut self,
        stage: &str,
        work: impl FnOnce(&mut Self) -> Result<T, OffkeyError>,
    ) -> Result<T, OffkeyError> {
        self.manifest.forget_cost(stage);
        self.timed_on(stage, work)
    }

    /// As [`Self::timed`], adding to what an interrupted part of the stage has cost.
    pub(crate) fn timed_on<T>(
        &mut self,
        stage: &str,
        work: impl FnOnce(&mut Self) -> Result<T, OffkeyError>,
    ) -> Result<T, OffkeyError> {
        let watch = Stopwatch::start();
        self.manifest.undo_from(stage);
        self.write_manifest()?;
        let result = work(self);
        watch.stop(&mut self.manifest, stage);
        if result.is_ok() {
            self.manifest.done.insert(stage.to_owned());
            tracing::info!(stage, seconds = self.manifest.seconds[stage], "stage done");
        }
        let written = self.write_manifest();
        let result = result?;
        written.map(|()| result)
    }

    fn write_manifest(&self) -> Result<(), OffkeyError> {
        files::write_json(&self.folder.manifest(), &self.manifest)
    }
}
