//! Runs what is missing of a study, and keeps every result as a file of its own.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use offkey::{
    Compute, Embedded, Existing, OffkeyError, Progress, Recipe, RunRequest, Seeds, Stage,
    SynthConfig, Trial, WaveCache, files, score_table, synthesize,
};
use offkey_core::{Dataset, Seed};
use offkey_eval::evaluate;

use crate::{
    error::StudyError,
    file::StudyFile,
    plan::{Job, Plan, plan},
    recipes::{as_trained, take_noise_from, unbound_noise},
    results::{JobResult, SplitOfClips},
    shard::Shard,
    write::write,
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
    /// The share that this machine runs, where several work on the study; none: all of it.
    pub shard: Option<Shard>,
}

/// Training clips of a machine in the synthetic set of a trial: small enough for minutes.
const SYNTHETIC_CLIPS: usize = 64;

/// Machines that synthetic recordings of noise are of, one of each type, and training clips of each.
const NOISY_NEIGHBOURS: (usize, usize) = (6, 4);

/// Runs every job that has no result yet, and writes tables and pictures: of all jobs, or of those so
/// far where it ends early. A cell that cannot be trained on a data set (one class for a loss that
/// needs two, say) is left out, and told of at the end.
///
/// With a [`Shard`] only the jobs of that share are run and returned, and no tables are written: other machines
/// may work on the others in the same folder. A call without one joins their results.
///
/// # Errors
/// [`StudyError::Run`] before anything is run when a bound path holds no recordings,
/// [`StudyError::Stopped`] when the caller asks to stop, [`StudyError::Untrained`] when all was
/// run but cells that cannot be trained, else what ended it. Results so far are kept, and the same
/// call goes on from there.
pub fn run_study(request: &StudyRequest, progress: &dyn Progress) -> Result<Plan, StudyError> {
    let plan = plan(&request.study, &request.data)?;
    let plan = match request.shard {
        Some(shard) => plan.share(shard),
        None => plan,
    };
    let folder = &request.out;
    fs::create_dir_all(folder).map_err(OffkeyError::io(folder))?;
    let text = toml::to_string_pretty(&request.study).expect("a study has string keys only");
    files::write_atomically(&folder.join("study.toml"), text.as_bytes())?;
    check_data(request, &plan)?;
    let mut results = Vec::new();
    let outcome = run_jobs(request, &plan, &mut results, progress);
    let written = write_results(request, &results);
    outcome?;
    written?;
    Ok(plan)
}

/// Refuses a plan whose last trials would find that their recordings are not there.
fn check_data(request: &StudyRequest, plan: &Plan) -> Result<(), StudyError> {
    let missing = plan.jobs.iter().filter(|job| !result_path(request, job).is_file());
    let folders: BTreeSet<&Path> = missing.flat_map(Job::recordings).collect();
    for folder in folders {
        Dataset::read(folder).map_err(OffkeyError::from)?;
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
) -> Result<(), StudyError> {
    let begun = Instant::now();
    let cache = Arc::new(WaveCache::new(request.cache_bytes));
    let mut untrained = Vec::new();
    let mut ran = 0;
    for (index, job) in plan.jobs.iter().enumerate() {
        let path = result_path(request, job);
        if path.is_file() {
            results.push(files::read_json(&path)?);
            continue;
        }
        let left = remaining(begun, ran, plan.jobs.len() - index);
        progress.note(&format!("job {} of {}{left}: {job}", index + 1, plan.jobs.len()));
        ran += 1;
        match run_job(request, job, &cache, progress) {
            Ok(result) => {
                files::write_json(&path, &result)?;
                results.push(result);
            }
            Err(error) if error.is_of_training() => untrained.push((job, error)),
            Err(OffkeyError::Cancelled { .. }) => {
                let (out, done) = (request.out.clone(), results.len());
                return Err(StudyError::Stopped { out, done, total: plan.jobs.len() });
            }
            Err(error) => return Err(error.into()),
        }
    }
    let jobs = untrained.len();
    match untrained.into_iter().next() {
        Some((job, cause)) => Err(StudyError::Untrained {
            jobs,
            total: plan.jobs.len(),
            first: job.to_string(),
            cause: Box::new(cause),
        }),
        None => Ok(()),
    }
}

fn write_results(request: &StudyRequest, results: &[JobResult]) -> Result<(), StudyError> {
    if results.is_empty() || request.shard.is_some() {
        return Ok(());
    }
    Ok(write(&request.out, &request.study, results)?)
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
    if unbound_noise(&recipe).is_some() {
        let noise = synthetic_noise(&request.out, job.trial, progress)?;
        take_noise_from(&mut recipe, noise);
    }
    let model = format!("models/{}", job.model_key());
    let root = request.out.join(&model);
    let training = training(request, (&recipe, job.trial), &data, &root);
    let mut trial = Trial::open(&training, job.trial, cache, progress)?;
    let embeddings = root.join(format!("embeddings_{}", job.embedding_key()));
    if !embeddings.join("rows.csv").is_file() {
        trial.embed(recipe, &embeddings)?;
    }
    let embedded = Embedded::read(&embeddings, &job.cell.recipe)?;
    let manifest = trial.manifest();
    let (scores, _) =
        score_table(&embedded, &job.cell.recipe.scoring(), Seed::new(job.trial), progress)?;
    Ok(JobResult {
        data: job.data.clone(),
        trial: job.trial,
        cell: job.cell.name.clone(),
        levels: job.cell.levels.clone(),
        metrics: evaluate(&scores, None)?,
        train_seconds: manifest.seconds_of(Stage::Train),
        train_cpu_seconds: manifest.cpu_seconds_of(Stage::Train),
        clips_per_second: manifest.clips_per_second,
        peak_memory_bytes: manifest.peak_memory_bytes,
        model,
        split: job.path.as_ref().map(|_| SplitOfClips {
            fingerprint: manifest.data_fingerprint.clone(),
            training: manifest.training_clips,
            test: manifest.test_clips,
        }),
    })
}

/// What is asked of the model of a trial.
fn training(
    request: &StudyRequest,
    (recipe, trial): (&Recipe, u64),
    data: &Path,
    root: &Path,
) -> RunRequest {
    let recipe = Recipe { name: recipe.name.clone(), ..as_trained(recipe) };
    RunRequest {
        existing: Existing::Resume,
        seeds: Seeds::One(trial),
        compute: request.compute,
        cache_bytes: request.cache_bytes,
        ..RunRequest::new(vec![data.to_owned()], recipe, root.to_owned())
    }
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

/// Makes a set that is not there. Machines that share the folder wait for the one that makes it.
fn made_once(
    config: &SynthConfig,
    path: PathBuf,
    progress: &dyn Progress,
) -> Result<PathBuf, OffkeyError> {
    let done = path.with_extension("done");
    if done.is_file() {
        return Ok(path);
    }
    let lock = path.with_extension("lock");
    let io = || OffkeyError::io(&lock);
    fs::create_dir_all(lock.parent().expect("it lies in a folder")).map_err(io())?;
    let file = File::create(&lock).map_err(io())?;
    file.lock().map_err(io())?;
    if !done.is_file() {
        synthesize(config, &path, progress)?;
        files::write_atomically(&done, b"")?;
    }
    Ok(path)
}
