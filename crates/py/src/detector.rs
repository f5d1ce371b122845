//! A monitor's model file, or a run, as one class: recordings in, verdicts out.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1};
use offkey::{
    Compute, Loaded, OffkeyError,
    monitor::{ClipVerdict, Monitor, Problem, Verdict, WindowVerdict},
};
use offkey_signal::{DecodeConfig, decode_bytes};
use pyo3::{prelude::*, types::PyAny};
use serde::Serialize;

use crate::{
    arrays,
    convert::to_python,
    error::{Raise, usage},
    progress::long,
};

/// A trained detector, ready to judge.
#[pyclass(frozen, module = "offkey._core")]
pub(crate) struct Detector {
    pub(crate) loaded: Loaded,
}

/// What is said of one recording.
#[derive(Serialize)]
#[serde(untagged)]
enum Said {
    Monitor {
        #[serde(flatten)]
        verdict: ClipVerdict,
        windows: Vec<Window>,
    },
    Run(offkey::ClipScore),
}

/// One window's verdict.
#[derive(Serialize)]
struct Window {
    start_s: f64,
    score: Option<f64>,
    p_value: Option<f64>,
    verdict: Verdict,
    problem: Option<Problem>,
    reason: String,
}

/// What a model says of itself.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum About {
    Monitor {
        name: String,
        rate_hz: u32,
        window_s: f64,
        every_s: f64,
        rates_hz: Vec<u32>,
        recordings: usize,
        windows: usize,
        explanation: String,
        promise: String,
        /// Bound of the share of normal recordings that alarm; none: not enough recordings for one.
        false_alarms: Option<f64>,
    },
    Run {
        /// Machines and sections with references.
        sections: Vec<[String; 2]>,
    },
}

impl Detector {
    fn judge_samples(
        &self,
        name: &Path,
        sound: (&[f32], u32),
        place: &Place,
    ) -> Result<Said, OffkeyError> {
        match &self.loaded {
            Loaded::Monitor(monitor) => {
                let mut windows = Windows::of(monitor);
                let verdict = monitor.check_samples(name, sound, &mut |w| windows.add(w))?;
                Ok(Said::Monitor { verdict, windows: windows.said })
            }
            Loaded::Run(run) => {
                let (machine, section) = place.parts();
                Ok(Said::Run(run.score_samples(sound, name, machine, section)?))
            }
        }
    }

    fn judge_file(&self, path: &Path, place: &Place) -> Result<Said, OffkeyError> {
        match &self.loaded {
            Loaded::Monitor(monitor) => {
                let mut windows = Windows::of(monitor);
                let verdict = monitor.check(path, &mut |window| windows.add(window))?;
                Ok(Said::Monitor { verdict, windows: windows.said })
            }
            Loaded::Run(run) => {
                let (machine, section) = place.parts();
                Ok(Said::Run(run.score(&[path.to_owned()], machine, section)?.remove(0)))
            }
        }
    }

    /// Embeddings by each member: `[windows, dims]` of a monitor, `[1, dims]` of a run.
    fn embed_samples(
        &self,
        name: &Path,
        sound: (&[f32], u32),
        place: &Place,
    ) -> Result<Vec<Array2<f32>>, OffkeyError> {
        match &self.loaded {
            Loaded::Monitor(monitor) => Ok(monitor.embed_samples(name, sound)?.embeddings),
            Loaded::Run(run) => {
                let (machine, section) = place.parts();
                run.embed_samples(sound, name, machine, section)
            }
        }
    }

    /// How a recording is decoded before it is judged.
    fn decoding(&self) -> DecodeConfig {
        match &self.loaded {
            Loaded::Monitor(monitor) => {
                DecodeConfig { rate_hz: None, ..monitor.card().windows.decode_config() }
            }
            Loaded::Run(_) => DecodeConfig::default(),
        }
    }
}

/// Windows as they are judged.
struct Windows {
    rate_hz: f64,
    said: Vec<Window>,
}

impl Windows {
    fn of(monitor: &Monitor) -> Self {
        Self { rate_hz: f64::from(monitor.card().windows.rate_hz), said: Vec::new() }
    }

    fn add(&mut self, window: &WindowVerdict) {
        let WindowVerdict { start, score, p_value, verdict, problem, reason, .. } = window.clone();
        let start_s = start as f64 / self.rate_hz;
        self.said.push(Window { start_s, score, p_value, verdict, problem, reason });
    }
}

/// One array per member.
type Embeddings<'py> = Vec<Bound<'py, PyArray2<f32>>>;

fn to_arrays(py: Python<'_>, members: Vec<Array2<f32>>) -> Embeddings<'_> {
    members.into_iter().map(|rows| rows.into_pyarray(py)).collect()
}

/// Machine and section that a run's recording is of, where the caller says.
struct Place {
    machine: Option<String>,
    section: Option<String>,
}

impl Place {
    fn parts(&self) -> (Option<&str>, Option<&str>) {
        (self.machine.as_deref(), self.section.as_deref())
    }
}

#[pymethods]
impl Detector {
    /// Loads the model file of a monitor, or a run's folder.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let loaded = py.detach(|| Loaded::open(&path, Compute::default()));
        loaded.map(|loaded| Self { loaded }).map_err(|error| error.raise(py))
    }

    /// Judges mono samples at a rate.
    #[pyo3(signature = (samples, rate_hz, name, machine=None, section=None))]
    fn score<'py>(
        &self,
        py: Python<'py>,
        samples: PyReadonlyArray1<'py, f32>,
        rate_hz: u32,
        name: PathBuf,
        machine: Option<String>,
        section: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let samples = arrays::samples(py, &samples)?;
        let place = Place { machine, section };
        let said = py.detach(|| self.judge_samples(&name, (samples, rate_hz), &place));
        to_python(py, &said.map_err(|error| error.raise(py))?)
    }

    /// Judges a recording whose file is in memory.
    #[pyo3(signature = (bytes, name, machine=None, section=None))]
    fn score_bytes<'py>(
        &self,
        py: Python<'py>,
        bytes: &[u8],
        name: PathBuf,
        machine: Option<String>,
        section: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let place = Place { machine, section };
        let said = py.detach(|| {
            let wave = decode_bytes(&name, bytes.to_vec(), &self.decoding())?;
            self.judge_samples(&name, (&wave.samples, wave.rate_hz), &place)
        });
        to_python(py, &said.map_err(|error| error.raise(py))?)
    }

    /// What each member hears of mono samples at a rate.
    #[pyo3(signature = (samples, rate_hz, name, machine=None, section=None))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        samples: PyReadonlyArray1<'py, f32>,
        rate_hz: u32,
        name: PathBuf,
        machine: Option<String>,
        section: Option<String>,
    ) -> PyResult<Embeddings<'py>> {
        let samples = arrays::samples(py, &samples)?;
        let place = Place { machine, section };
        let members = py.detach(|| self.embed_samples(&name, (samples, rate_hz), &place));
        Ok(to_arrays(py, members.map_err(|error| error.raise(py))?))
    }

    /// What each member hears of a recording whose file is in memory.
    #[pyo3(signature = (bytes, name, machine=None, section=None))]
    fn embed_bytes<'py>(
        &self,
        py: Python<'py>,
        bytes: &[u8],
        name: PathBuf,
        machine: Option<String>,
        section: Option<String>,
    ) -> PyResult<Embeddings<'py>> {
        let place = Place { machine, section };
        let members = py.detach(|| {
            let wave = decode_bytes(&name, bytes.to_vec(), &self.decoding())?;
            self.embed_samples(&name, (&wave.samples, wave.rate_hz), &place)
        });
        Ok(to_arrays(py, members.map_err(|error| error.raise(py))?))
    }

    /// Judges recordings that are files, one after the other.
    #[pyo3(signature = (paths, machine=None, section=None, progress=None))]
    fn check<'py>(
        &self,
        py: Python<'py>,
        paths: Vec<PathBuf>,
        machine: Option<String>,
        section: Option<String>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let place = Place { machine, section };
        let said = long(py, progress.as_ref(), |progress| {
            progress.begin(offkey::Stage::Score, paths.len() as u64, "recordings");
            let mut said = Vec::new();
            for (index, path) in paths.iter().enumerate() {
                said.push(self.judge_file(path, &place)?);
                progress.advance(index as u64 + 1, "");
                if progress.cancelled() {
                    return Err(OffkeyError::Cancelled { run: PathBuf::new() });
                }
            }
            progress.end();
            Ok::<_, OffkeyError>(said)
        })?;
        to_python(py, &said)
    }

    /// Writes the model file of a monitor.
    fn save(&self, py: Python<'_>, path: PathBuf, force: bool) -> PyResult<()> {
        let Loaded::Monitor(monitor) = &self.loaded else {
            let hint = "a run is a folder already: copy it";
            return Err(usage(py, "only a monitor is saved as a model file", Some(hint)));
        };
        let saved = py.detach(|| {
            if path.exists() && !force {
                return Err(OffkeyError::ModelExists { path: path.clone() });
            }
            offkey::monitor::make_room_for(&path)?;
            Ok(monitor.save(&path)?)
        });
        saved.map_err(|error| error.raise(py))
    }

    /// What the model says of itself.
    fn about<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let about = match &self.loaded {
            Loaded::Monitor(monitor) => {
                let (card, promise) = (monitor.card(), monitor.promise());
                About::Monitor {
                    name: card.name.clone(),
                    rate_hz: card.windows.rate_hz,
                    window_s: card.windows.seconds(card.windows.samples as u64),
                    every_s: card.every_s(),
                    rates_hz: card.rates_hz.clone(),
                    recordings: card.recordings.len(),
                    windows: card.window_count(),
                    explanation: card.explanation.clone(),
                    promise: promise.to_string(),
                    false_alarms: promise.at_most,
                }
            }
            Loaded::Run(run) => About::Run {
                sections: run
                    .sections()
                    .map(|key| [key.machine.clone(), key.section.clone()])
                    .collect(),
            },
        };
        to_python(py, &about)
    }
}
