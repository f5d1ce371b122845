//! Learning a monitor, from files or from arrays.

use std::{
    fs,
    path::{Path, PathBuf},
};

use numpy::PyReadonlyArray1;
use offkey::{
    Compute, Loaded, OffkeyError,
    learn::{LearnReport, LearnRequest},
    monitor::{FalseAlarmRate, MonitorError, make_room_for},
};
use pyo3::{prelude::*, types::PyAny};
use serde::Serialize;

use crate::{
    arrays,
    convert::to_python,
    detector::Detector,
    error::Raise,
    progress::long,
    runs::RecipeChoice,
    sounds::{float_wav, text},
};

/// What learning found out, beside the detector.
#[derive(Serialize)]
struct Report {
    recordings: usize,
    windows: usize,
    window_s: f64,
    odd: Vec<(String, f64)>,
    warnings: Vec<String>,
    left_out: Vec<(String, String)>,
}

impl Report {
    /// The report, recordings under the names that `name` gives their paths.
    fn new(report: LearnReport, name: impl Fn(&str) -> String) -> Self {
        let LearnReport { recordings, windows, window_s, odd, warnings, left_out } = report;
        Self {
            recordings,
            windows,
            window_s,
            odd: odd.into_iter().map(|(path, far)| (name(&path), far)).collect(),
            warnings,
            left_out: left_out
                .into_iter()
                .map(|(path, reason)| (name(&text(&path)), reason))
                .collect(),
        }
    }
}

/// Learns a monitor from recordings of normal sound: files and folders, or `arrays` at `rate_hz`, each
/// with its name. Writes the model file where one is asked for.
#[pyfunction]
#[pyo3(signature = (
    data, arrays, rate_hz, name, *, faults=Vec::new(), false_alarms=None, window_s=None, every_s=None, recipe=None,
    seed=0, output=None, force=false, progress=None
))]
#[expect(clippy::too_many_arguments, reason = "the package's own function names each of them")]
pub(crate) fn learn<'py>(
    py: Python<'py>,
    data: Vec<PathBuf>,
    arrays: Vec<(String, PyReadonlyArray1<'py, f32>)>,
    rate_hz: Option<u32>,
    name: String,
    faults: Vec<PathBuf>,
    false_alarms: Option<&str>,
    window_s: Option<f64>,
    every_s: Option<f64>,
    recipe: Option<RecipeChoice>,
    seed: u64,
    output: Option<PathBuf>,
    force: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Detector, Bound<'py, PyAny>)> {
    let false_alarms: Option<FalseAlarmRate> = match false_alarms {
        Some(text) => Some(text.parse().map_err(|error| MonitorError::Rate(error).raise(py))?),
        None => None,
    };
    let mut sounds = Vec::new();
    for (name, array) in &arrays {
        sounds.push((name.as_str(), arrays::samples(py, array)?));
    }
    let (monitor, report) = long(py, progress.as_ref(), |progress| {
        if let Some(output) = &output {
            if output.exists() && !force {
                return Err(OffkeyError::ModelExists { path: output.clone() });
            }
            make_room_for(output)?;
        }
        let scratch = Scratch::with(&sounds, rate_hz, &name)?;
        let data = scratch.as_ref().map_or(data, |scratch| vec![scratch.folder.clone()]);
        let recipe = recipe.map(RecipeChoice::load).transpose()?;
        let compute = Compute::default();
        let request = LearnRequest {
            data,
            faults,
            name,
            false_alarms,
            window_s,
            every_s,
            recipe,
            seed,
            compute,
        };
        let (mut monitor, report) = offkey::learn::learn(&request, progress)?;
        let naming = |path: &str| match &scratch {
            Some(scratch) => scratch.name_of(path),
            None => path.to_owned(),
        };
        let report = Report::new(report, naming);
        if scratch.is_some() {
            monitor.rename_recordings(naming);
        }
        if let Some(output) = &output {
            monitor.save(output)?;
        }
        Ok::<_, OffkeyError>((monitor, report))
    })?;
    let report = to_python(py, &report)?;
    Ok((Detector { loaded: Loaded::Monitor(Box::new(monitor)) }, report))
}

/// Arrays as files for as long as learning takes: it reads recordings more than once, and in parts.
struct Scratch<'a> {
    _kept: tempfile::TempDir,
    folder: PathBuf,
    names: Vec<&'a str>,
}

impl<'a> Scratch<'a> {
    /// Writes the arrays; none where there are none.
    fn with(
        sounds: &[(&'a str, &[f32])],
        rate_hz: Option<u32>,
        machine: &str,
    ) -> Result<Option<Self>, OffkeyError> {
        let Some(rate_hz) = rate_hz.filter(|_| !sounds.is_empty()) else { return Ok(None) };
        let kept = tempfile::tempdir().map_err(OffkeyError::io(&std::env::temp_dir()))?;
        let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
        let folder = kept.path().join(machine.chars().map(plain).collect::<String>());
        fs::create_dir_all(&folder).map_err(OffkeyError::io(&folder))?;
        for (index, (_, samples)) in sounds.iter().enumerate() {
            let path = folder.join(format!("array{index:06}.wav"));
            fs::write(&path, float_wav(samples, rate_hz)).map_err(OffkeyError::io(&path))?;
        }
        Ok(Some(Self {
            _kept: kept,
            folder,
            names: sounds.iter().map(|(name, _)| *name).collect(),
        }))
    }

    /// The name of the array that a file holds.
    fn name_of(&self, path: &str) -> String {
        let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let index = stem.strip_prefix("array").and_then(|digits| digits.parse::<usize>().ok());
        let name = index.and_then(|index| self.names.get(index).copied());
        name.unwrap_or(path).to_owned()
    }
}
