//! A run, from recordings to a page: all stages in order, for one seed or several.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use offkey_core::{Dataset, Year};
use offkey_infer::DeviceKind;

use crate::{
    Existing, ModelConfig, OffkeyError, PAGE_MASKS, Progress, Recipe, Registries, RunFolder,
    RunMetrics, RunRequest, Seeds, Stage, files,
    metrics::combine,
    open_run::Run,
    run_folder::{self, seed_folders},
    stage::{self, AgainstColumn},
    wave_cache::WaveCache,
};

/// Trains, embeds, scores, evaluates and reports, for each seed asked for.
///
/// # Errors
/// [`OffkeyError`]; whatever was finished before stays in the folder and can be resumed.
pub fn run(request: &RunRequest, progress: &dyn Progress) -> Result<RunMetrics, OffkeyError> {
    if request.compute.device == DeviceKind::Gpu && !cfg!(feature = "gpu") {
        return Err(OffkeyError::NoGpu);
    }
    let dataset = Dataset::read_all(&request.data, &request.truth)?;
    let request = &stage::prepare::settle(request, &dataset, progress);
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
    if !run.manifest.is_done(Stage::Train) {
        run.train(request.existing == Existing::Resume)?;
    }
    if !run.manifest.is_done(Stage::Embed) {
        run.embed()?;
    }
    if !run.manifest.is_done(Stage::Score) {
        run.score()?;
    }
    if !run.manifest.is_done(Stage::Baselines) {
        run.fit_baselines()?;
    }
    let metrics = if run.manifest.is_done(Stage::Evaluate) {
        files::read_json(&run.folder.metrics())?
    } else {
        run.evaluate()?
    };
    if !run.manifest.is_done(Stage::Report) {
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
        if resume && run.manifest.is_done(Stage::Train) {
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

/// Redoes one stage of a run whose recipe names losses or backends of other crates: its training,
/// embeddings, scores, baselines, metrics, map or page.
///
/// # Errors
/// [`OffkeyError`], among them when a name is not registered, or the stage before is missing.
pub fn redo(
    root: &Path,
    stage: Stage,
    registries: &Registries,
    progress: &dyn Progress,
) -> Result<(), OffkeyError> {
    for_each_seed(root, |root| {
        let mut run = Run::open_with(root, registries, progress)?;
        match stage {
            Stage::Train => run.train(false),
            Stage::Embed => run.embed(),
            Stage::Score => run.score(),
            Stage::Evaluate => run.evaluate().map(|_| ()),
            Stage::Report => run.report(PAGE_MASKS).map(|_| ()),
            Stage::Map => run.map().map(|_| ()),
            Stage::Baselines => run.fit_baselines(),
            Stage::Synthesize | Stage::Check | Stage::Explain => {
                Err(OffkeyError::NotRedone { stage })
            }
        }
    })
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
/// One seed among several is not given another year than the others: its metrics under that year's rules are returned,
/// and the folder stays as it is.
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
        let year = year.or(run.manifest.year);
        if year != run.manifest.year && run_folder::is_one_of_several(root) {
            return run.metrics(year);
        }
        run.manifest.year = year;
        return run.evaluate();
    }
    let folder = RunFolder::open(root)?;
    let trials: Vec<(u64, RunMetrics)> = seeds
        .into_iter()
        .map(|(seed, path)| {
            let mut run = Run::open(&path, progress)?;
            run.manifest.year = year.or(run.manifest.year);
            Ok((seed, run.evaluate()?))
        })
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
