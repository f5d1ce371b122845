//! Runs what is missing of a study, and keeps every result as a file of its own.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use offkey_core::{Dataset, EmbeddingTable, Seed};
use offkey_embed::Compute;
use offkey_eval::{Metrics, evaluate};
use offkey_synth::SynthConfig;
use serde::{Deserialize, Serialize};

use super::{
    file::StudyFile,
    plan::{Job, Plan, plan},
    results,
};
use crate::{
    Existing, OffkeyError, Progress, Recipe, RunFolder, RunRequest, Seeds,
    demo::synthesize,
    run::Run,
    run_folder,
    stage::{self, Embedder, score_table},
    wave_cache::WaveCache,
};

/// Everything asked of a study.
#[derive(Debug, Clone)]
pub struct StudyRequest {
    /// The study.
    pub study: StudyFile,
    /// `NAME=PATH` bindings of its data sets.
    pub data: Vec<String>,
    /// Where models, results and tables go; what is there already is not run again.
    pub out: PathBuf,
    /// Where to compute.
    pub compute: Compute,
    /// Bound of the memory for decoded recordings.
    pub cache_bytes: u64,
}

/// The result of one job, as `results/<key>.json` keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// Data set.
    pub data: String,
    /// Trial.
    pub trial: u64,
    /// Cell.
    pub cell: String,
    /// One level a factor.
    pub levels: Vec<String>,
    /// The metrics.
    pub metrics: Metrics,
    /// Seconds of training, shared by the jobs that share the model.
    pub train_seconds: Option<f64>,
    /// Processor seconds of training.
    pub train_cpu_seconds: Option<f64>,
    /// Clips through training steps per second.
    pub clips_per_second: Option<f64>,
    /// Largest resident memory of the process when the job was done.
    pub peak_memory_bytes: Option<u64>,
    /// The folder of the model.
    pub model: String,
}

/// Training clips of a machine in the synthetic set of a trial: small enough for minutes.
const SYNTHETIC_CLIPS: usize = 64;

/// Machines that synthetic recordings of noise are of, one of each type, and training clips of each.
const NOISY_NEIGHBOURS: (usize, usize) = (6, 4);

/// Runs every job that has no result yet, and writes tables and pictures: of all jobs, or of those so
/// far where it ends early. A cell that cannot be trained on a data set (one class for a loss that
/// needs two, say) is left out, and told of at the end.
///
/// # Errors
/// [`OffkeyError::Data`] before anything is run when a bound path holds no recordings,
/// [`OffkeyError::StudyStopped`] when the caller asks to stop, [`OffkeyError::Untrained`] when all was
/// run but cells that cannot be trained, else what ended it. Results so far are kept, and the same
/// call goes on from there.
pub fn run_study(request: &StudyRequest, progress: &dyn Progress) -> Result<Plan, OffkeyError> {
    let plan = plan(&request.study, &request.data)?;
    let folder = &request.out;
    fs::create_dir_all(folder).map_err(OffkeyError::io(folder))?;
    let text = toml::to_string_pretty(&request.study).expect("a study has string keys only");
    run_folder::write_atomically(&folder.join("study.toml"), text.as_bytes())?;
    check_data(request, &plan)?;
    let mut results = Vec::new();
    let outcome = run_jobs(request, &plan, &mut results, progress);
    let written = write_results(request, &results);
    outcome?;
    written?;
    Ok(plan)
}

/// Refuses a plan whose last trials would find that their recordings are not there.
fn check_data(request: &StudyRequest, plan: &Plan) -> Result<(), OffkeyError> {
    let missing = plan.jobs.iter().filter(|job| !result_path(request, job).is_file());
    let folders: BTreeSet<&Path> = missing.flat_map(Job::recordings).collect();
    for folder in folders {
        Dataset::read(folder)?;
    }
    Ok(())
}

fn result_path(request: &StudyRequest, job: &Job) -> PathBuf {
    request.out.join("results").join(format!("{}.json", job.result_key()))
}

/// Collects the results of all jobs, running those that have none.
fn run_jobs(
    request: &StudyRequest,
    plan: &Plan,
    results: &mut Vec<JobResult>,
    progress: &dyn Progress,
) -> Result<(), OffkeyError> {
    let begun = Instant::now();
    let cache = Arc::new(WaveCache::new(request.cache_bytes));
    let mut untrained = Vec::new();
    let mut ran = 0;
    for (index, job) in plan.jobs.iter().enumerate() {
        let path = result_path(request, job);
        if path.is_file() {
            results.push(run_folder::read_json(&path)?);
            continue;
        }
        let left = remaining(begun, ran, plan.jobs.len() - index);
        progress.note(&format!("job {} of {}{left}: {job}", index + 1, plan.jobs.len()));
        ran += 1;
        match run_job(request, job, &cache, progress) {
            Ok(result) => {
                run_folder::write_json(&path, &result)?;
                results.push(result);
            }
            Err(error) if error.is_of_training() => untrained.push((job, error)),
            Err(OffkeyError::Cancelled { .. }) => {
                let (out, done) = (request.out.clone(), results.len());
                return Err(OffkeyError::StudyStopped { out, done, total: plan.jobs.len() });
            }
            Err(error) => return Err(error),
        }
    }
    let jobs = untrained.len();
    match untrained.into_iter().next() {
        Some((job, cause)) => Err(OffkeyError::Untrained {
            jobs,
            total: plan.jobs.len(),
            first: job.to_string(),
            cause: Box::new(cause),
        }),
        None => Ok(()),
    }
}

fn write_results(request: &StudyRequest, results: &[JobResult]) -> Result<(), OffkeyError> {
    if results.is_empty() {
        return Ok(());
    }
    results::write(&request.out, &request.study, results)
}

fn remaining(begun: Instant, ran: usize, jobs_left: usize) -> String {
    if ran == 0 {
        return String::new();
    }
    let minutes = begun.elapsed().as_secs_f64() / ran as f64 * jobs_left as f64 / 60.0;
    format!(", about {minutes:.0} min left")
}

fn run_job(
    request: &StudyRequest,
    job: &Job,
    cache: &Arc<WaveCache>,
    progress: &dyn Progress,
) -> Result<JobResult, OffkeyError> {
    let data = match &job.path {
        Some(path) => path.clone(),
        None => synthetic_set(&request.out, job.trial, progress)?,
    };
    let mut recipe = job.cell.recipe.clone();
    if recipe.unbound_noise().is_some() {
        recipe.take_noise_from(synthetic_noise(&request.out, job.trial, progress)?);
    }
    let model = format!("models/{}", job.model_key());
    let root = request.out.join(&model);
    let mut run = open_model(request, (&recipe, job.trial), &data, &root, cache, progress)?;
    let embeddings = root.join(format!("embeddings_{}", job.embedding_key()));
    if !embeddings.join("rows.csv").is_file() {
        run.recipe = recipe;
        let embedder = Embedder::load(&run.folder.model(), &run.recipe, run.manifest.compute)?;
        let clips: Vec<_> = run.clips.iter().collect();
        let vectors = embedder.embed_all(&run.clip_audio(&clips)?, progress)?;
        EmbeddingTable { clips: run.clips.clone(), embeddings: vectors }.write(&embeddings)?;
    }
    let table = EmbeddingTable::read(&embeddings)?;
    let (scores, _) = score_table(
        &table,
        &job.cell.recipe.backend,
        &job.cell.recipe.threshold,
        Seed::new(job.trial),
        progress,
    )?;
    Ok(JobResult {
        data: job.data.clone(),
        trial: job.trial,
        cell: job.cell.name.clone(),
        levels: job.cell.levels.clone(),
        metrics: evaluate(&scores, None)?,
        train_seconds: run.manifest.seconds.get("train").copied(),
        train_cpu_seconds: run.manifest.cpu_seconds.get("train").copied(),
        clips_per_second: run.manifest.clips_per_second,
        peak_memory_bytes: run.manifest.peak_memory_bytes,
        model,
    })
}

/// Opens the trained model of a trial, training it first where that was not done or not finished.
fn open_model<'a>(
    request: &StudyRequest,
    (recipe, trial): (&Recipe, u64),
    data: &Path,
    root: &Path,
    cache: &Arc<WaveCache>,
    progress: &'a dyn Progress,
) -> Result<Run<'a>, OffkeyError> {
    let request = RunRequest {
        data: vec![data.to_owned()],
        truth: Vec::new(),
        recipe: Recipe { name: recipe.name.clone(), ..recipe.as_trained() },
        out: root.to_owned(),
        existing: Existing::Resume,
        seeds: Seeds::One(trial),
        year: None,
        compute: request.compute,
        skip_bad: false,
        cache_bytes: request.cache_bytes,
    };
    let dataset = Dataset::read_all(&request.data, &request.truth)?;
    let folder = RunFolder::create(root, Existing::Resume)?;
    let mut run =
        stage::prepare::prepare(&request, dataset, folder, trial, Arc::clone(cache), progress)?;
    if !run.manifest.is_done("train") {
        run.train(true)?;
    }
    Ok(run)
}

/// The synthetic set of a trial, made once.
fn synthetic_set(out: &Path, trial: u64, progress: &dyn Progress) -> Result<PathBuf, OffkeyError> {
    let config = SynthConfig { clips: SYNTHETIC_CLIPS, seed: trial, ..SynthConfig::default() };
    made_once(&config, out.join("data").join(format!("synthetic_{trial}")), progress)
}

/// Recordings of other machines than those of the trial's set, made once.
fn synthetic_noise(
    out: &Path,
    trial: u64,
    progress: &dyn Progress,
) -> Result<PathBuf, OffkeyError> {
    let (machines, clips) = NOISY_NEIGHBOURS;
    let seed = Seed::new(trial).child("neighbours").value();
    let config = SynthConfig { machines, clips, seed, ..SynthConfig::default() };
    made_once(&config, out.join("data").join(format!("noise_{trial}")), progress)
}

fn made_once(
    config: &SynthConfig,
    path: PathBuf,
    progress: &dyn Progress,
) -> Result<PathBuf, OffkeyError> {
    let done = path.with_extension("done");
    if !done.is_file() {
        synthesize(config, &path, progress)?;
        run_folder::write_atomically(&done, b"")?;
    }
    Ok(path)
}
