//! Runs: training from a recipe, and the explanation of a score.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use offkey::{
    BUILT_IN, DEFAULT_CACHE_BYTES, Existing, ExplainRequest, Loaded, OffkeyError, Progress, Recipe,
    RecipeError, RiseConfig, RunRequest, Seed, Seeds, SynthConfig, Year,
};
use pyo3::{prelude::*, types::PyAny};

use crate::{
    convert::to_python,
    detector::Detector,
    error::{Raise, usage},
    progress::long,
};

/// A recipe as it is asked for: a built-in name or a file, or the text of a TOML file; and single changes.
#[derive(FromPyObject)]
pub(crate) struct RecipeChoice(String, bool, Vec<String>);

impl RecipeChoice {
    /// Finds and checks the recipe.
    pub(crate) fn load(self) -> Result<Recipe, OffkeyError> {
        let Self(recipe, is_json, changes) = self;
        if !is_json {
            return Ok(Recipe::load(&recipe, &changes)?);
        }
        let value: toml::Value = serde_json::from_str(&recipe)
            .map_err(|error| unreadable(&format!("a table of names and values: {error}")))?;
        let text = toml::to_string(&value)
            .map_err(|error| unreadable(&format!("a table that TOML can hold: {error}")))?;
        let scratch = tempfile::tempdir().map_err(OffkeyError::io(&std::env::temp_dir()))?;
        let path = scratch.path().join("recipe");
        std::fs::write(&path, text).map_err(OffkeyError::io(&path))?;
        Ok(Recipe::load(&path.to_string_lossy(), &changes)?)
    }
}

fn unreadable(problem: &str) -> OffkeyError {
    RecipeError::Value {
        key: "recipe".to_owned(),
        found: "a dictionary".to_owned(),
        problem: format!("expected {problem}"),
    }
    .into()
}

/// The names of the built-in recipes, each with what it is for.
#[pyfunction]
pub(crate) fn recipe_names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|recipe| recipe.name).collect()
}

/// Sets the number of threads, before any work.
#[pyfunction]
pub(crate) fn set_threads(py: Python<'_>, threads: usize) -> PyResult<()> {
    offkey::set_threads(Some(threads)).map_err(|error| OffkeyError::from(error).raise(py))
}

/// A recipe with every default spelled out.
#[pyfunction]
pub(crate) fn recipe_text(py: Python<'_>, recipe: RecipeChoice) -> PyResult<Bound<'_, PyAny>> {
    let recipe = py.detach(|| recipe.load()).map_err(|error| error.raise(py))?;
    to_python(py, &recipe)
}

/// Writes synthetic machines with known faults; returns how many training and test clips.
#[pyfunction]
#[pyo3(signature = (out, *, machines, sections, clips, clip_s, seed, snr_db=None, progress=None))]
#[expect(clippy::too_many_arguments, reason = "the package's own function names each of them")]
pub(crate) fn synthesize(
    py: Python<'_>,
    out: PathBuf,
    machines: usize,
    sections: usize,
    clips: usize,
    clip_s: f64,
    seed: u64,
    snr_db: Option<f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(usize, usize)> {
    let defaults = SynthConfig::default();
    let snr_db = snr_db.unwrap_or(defaults.snr_db);
    let config = SynthConfig { machines, sections, clips, clip_s, seed, snr_db, ..defaults };
    let report =
        long(py, progress.as_ref(), |progress| offkey::synthesize(&config, &out, progress))?;
    Ok((report.train_clips, report.test_clips))
}

/// Trains, embeds, scores, evaluates and reports; returns the metrics.
#[pyfunction]
#[pyo3(signature = (
    data, recipe, out, *, truth=Vec::new(), seeds=(0, None), year=None, existing="refuse",
    skip_bad=false, cache_mb=None, progress=None
))]
#[expect(clippy::too_many_arguments, reason = "the package's own function names each of them")]
pub(crate) fn run<'py>(
    py: Python<'py>,
    data: Vec<PathBuf>,
    recipe: RecipeChoice,
    out: PathBuf,
    truth: Vec<PathBuf>,
    seeds: (u64, Option<u64>),
    year: Option<&str>,
    existing: &str,
    skip_bad: bool,
    cache_mb: Option<u64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let year = year_of(py, year)?;
    let existing = match existing {
        "refuse" => Existing::Refuse,
        "resume" => Existing::Resume,
        "replace" => Existing::Replace,
        other => {
            let message = format!("existing is {other:?}, expected refuse, resume or replace");
            return Err(usage(py, &message, None));
        }
    };
    let metrics = long(py, progress.as_ref(), |progress| {
        let request = RunRequest {
            truth,
            existing,
            seeds: match seeds {
                (seed, None) => Seeds::One(seed),
                (first, Some(last)) => Seeds::Each(first..=last),
            },
            year,
            skip_bad,
            cache_bytes: cache_mb.map_or(DEFAULT_CACHE_BYTES, |mb| mb << 20),
            ..RunRequest::new(data, recipe.load()?, out)
        };
        offkey::run(&request, progress)
    })?;
    to_python(py, &metrics)
}

/// What raises the scores of recordings: by a run's network, with pictures and numbers in `folder`; by a
/// monitor, what each of its members says of the worst window.
#[pyfunction]
#[pyo3(signature = (
    detector, paths, folder=None, *, machine=None, section=None, masks=None, grid=(8, 8), keep=0.5, seed=0,
    progress=None
))]
#[expect(clippy::too_many_arguments, reason = "the package's own function names each of them")]
pub(crate) fn explain<'py>(
    py: Python<'py>,
    detector: &Detector,
    paths: Vec<PathBuf>,
    folder: Option<PathBuf>,
    machine: Option<String>,
    section: Option<String>,
    masks: Option<NonZeroUsize>,
    grid: (usize, usize),
    keep: f64,
    seed: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (time_cells, frequency_cells) = grid;
    let masks = masks.map_or(1024, NonZeroUsize::get);
    let rise = RiseConfig { time_cells, frequency_cells, keep, masks, ..RiseConfig::default() };
    match &detector.loaded {
        Loaded::Monitor(monitor) => {
            let examined = long(py, progress.as_ref(), |progress| {
                each(&paths, progress, |path| {
                    Ok(monitor.examine_until(path, &|| progress.cancelled())?)
                })
            })?;
            to_python(py, &examined)
        }
        Loaded::Run(run) => {
            let Some(folder) = folder else {
                let hint = "name one: detector.explain(paths, \"RUN/explain\")";
                return Err(usage(py, "no folder for pictures and numbers was named", Some(hint)));
            };
            let request = ExplainRequest { machine, section, rise, seed: Seed::new(seed), folder };
            let explained = long(py, progress.as_ref(), |progress| {
                each(&paths, progress, |path| offkey::explain_clip(run, path, &request, progress))
            })?;
            to_python(py, &explained)
        }
    }
}

/// Does something with each recording, until it fails or the caller wants to stop.
fn each<T>(
    paths: &[PathBuf],
    progress: &dyn Progress,
    mut work: impl FnMut(&Path) -> Result<T, OffkeyError>,
) -> Result<Vec<T>, OffkeyError> {
    let mut done = Vec::new();
    for path in paths {
        if progress.cancelled() {
            return Err(OffkeyError::Cancelled { run: PathBuf::new() });
        }
        done.push(work(path)?);
    }
    Ok(done)
}

/// A year of the challenge from its number.
pub(crate) fn year_of(py: Python<'_>, year: Option<&str>) -> PyResult<Option<Year>> {
    let parse = |year: &str| year.parse().map_err(|error| usage(py, &format!("{error}"), None));
    year.map(parse).transpose()
}
