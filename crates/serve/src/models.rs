//! The models of all machines: loaded, exchanged while they are used, updated by what people say.

mod exchange;
mod learn;
mod learner;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    thread,
    time::{Duration, Instant},
};

use offkey_infer::Compute;
use offkey_monitor::{Addition, Monitor, MonitorError, lock_model, model_bytes};

use offkey_core::{Digest, Lock, with_causes};

use crate::{judge::Judge, listen::SharedJudge};

pub use learner::Begun;

/// Why a model cannot be had or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no model yet.
    #[error("`{machine}` has no model yet: learn it first")]
    None {
        /// The machine.
        machine: String,
    },
    /// The model refuses.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// A file cannot be used.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is being learned already.
    #[error("`{machine}` is being learned already: wait until that is done")]
    Busy {
        /// The machine.
        machine: String,
    },
    /// A recording was not taken in.
    #[error("it was not taken in: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The self-test gave no result.
    #[error("the self-test gave no result: {said}")]
    SelfTest {
        /// What the program said.
        said: String,
    },
    /// The program that learns is not there.
    #[error("learning needs the program `offkey` beside `offkey-serve`, and `{}` is not there", path.display())]
    NoLearner {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// How learning goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Learning {
    /// Whether it goes on.
    pub running: bool,
    /// Whether it ended well; none: not yet.
    pub good: Option<bool>,
    /// What the program said, the last lines.
    pub said: Vec<String>,
}

/// What a page shows of a model.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ModelView {
    /// What it promises about false alarms.
    pub promise: String,
    /// Share of normal windows that alarm, at most, on average over models, 0 to 1; none: nothing is guaranteed.
    pub at_most: Option<f64>,
    /// Seconds of a window.
    pub window_s: f64,
    /// Seconds between windows.
    pub every_s: f64,
}

/// All models.
pub struct Models {
    entries: RwLock<BTreeMap<String, Entry>>,
    learning: Mutex<BTreeMap<String, Learning>>,
    /// One change at a time: each reads a file, changes and writes it.
    changing: Mutex<()>,
    /// The program that learns.
    learner: PathBuf,
    /// How long a change waits for another program that changes the same file.
    patience: Duration,
}

struct Entry {
    path: PathBuf,
    judge: SharedJudge,
    /// Why its file cannot be used.
    problem: Option<String>,
}

/// A change of a model file takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

impl Default for Models {
    fn default() -> Self {
        Self {
            entries: RwLock::default(),
            learning: Mutex::default(),
            changing: Mutex::default(),
            learner: learner::beside_this_program(),
            patience: PATIENCE,
        }
    }
}

impl Models {
    /// Loads the model of a machine, where there is one, and gives what its listener uses.
    ///
    /// # Errors
    /// [`ModelError::Monitor`] for a file that is no model; the machine then has none.
    pub fn load(&self, machine: &str, path: &Path) -> Result<SharedJudge, ModelError> {
        let judge = {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            let entry = entries.entry(machine.to_owned()).or_insert_with(|| Entry {
                path: path.to_owned(),
                judge: SharedJudge::default(),
                problem: None,
            });
            path.clone_into(&mut entry.path);
            entry.problem = None;
            Arc::clone(&entry.judge)
        };
        let loaded = if path.exists() { Some(load(path)?) } else { None };
        *judge.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(judge)
    }

    /// Takes model files into use that another program replaced, or put where there was none. One that cannot be read
    /// leaves the machine with the model that it has, and is told.
    pub fn read_again(&self) {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        for (machine, entry) in entries.iter().filter(|(_, entry)| entry.path.exists()) {
            match load(&entry.path) {
                Ok(read) => {
                    *entry.judge.write().unwrap_or_else(PoisonError::into_inner) = Some(read);
                }
                Err(error) => tracing::error!(
                    "the model of `{machine}` stays as it was: {}",
                    with_causes(&error)
                ),
            }
        }
    }

    /// A machine whose model cannot be used, until another one is learned at that place.
    pub fn empty(&self, machine: &str, path: &Path, why: &ModelError) -> SharedJudge {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let judge = SharedJudge::default();
        let (path, problem) = (path.to_owned(), Some(with_causes(why)));
        entries.insert(machine.to_owned(), Entry { path, judge: Arc::clone(&judge), problem });
        judge
    }

    /// A machine is gone.
    pub fn forget(&self, machine: &str) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(machine);
    }

    /// What a page shows of a machine's model.
    pub fn view(&self, machine: &str) -> Option<ModelView> {
        let judge = self.judge(machine)?;
        let (form, promise) = (judge.windows(), judge.promise());
        Some(ModelView {
            at_most: promise.as_ref().and_then(|promise| promise.at_most),
            promise: promise.map(|promise| promise.to_string()).unwrap_or_default(),
            window_s: form.seconds(form.samples as u64),
            every_s: form.seconds(form.hop as u64),
        })
    }

    /// The model of a machine that is in use.
    pub fn judge(&self, machine: &str) -> Option<Arc<dyn Judge>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(machine)?.judge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the model of a machine cannot be used, where that is so.
    pub fn problem(&self, machine: &str) -> Option<String> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(machine)?;
        let learned = entry.judge.read().unwrap_or_else(PoisonError::into_inner).is_some();
        entry.problem.clone().filter(|_| !learned)
    }

    /// Takes a recording that a person calls normal into the model. Where the model knows its sound already, nothing
    /// changes, and the answer says so.
    ///
    /// # Errors
    /// [`ModelError`]; the model is then as before. A recording that looks like a fault is refused unless
    /// forced.
    pub fn update(
        &self,
        machine: &str,
        recording: &Path,
        force: bool,
    ) -> Result<Option<String>, ModelError> {
        self.change(machine, |monitor| {
            let addition = if force { Addition::Forced } else { Addition::Normal };
            let recordings = [recording.to_owned()];
            let (updated, report) = monitor.update(&recordings, addition, &|_, _| true)?;
            if let Some((_, reason)) = report.refused.into_iter().next() {
                return Err(ModelError::Refused { reason });
            }
            let known = || "the model knows this sound already, and stays as it is".to_owned();
            let told = report.shared.into_iter().next().unwrap_or_else(known);
            Ok((updated, report.added.is_empty().then_some(told)))
        })
    }

    /// Takes the last addition out of the model again. A model that was learned anew without that recording stays.
    ///
    /// # Errors
    /// [`ModelError`]; the model is then as before.
    pub fn undo(&self, machine: &str, recording: &Path) -> Result<(), ModelError> {
        let recording = recording.display().to_string();
        self.change(machine, |monitor| {
            let journal = &monitor.card().journal;
            let place = journal.iter().rposition(|entry| entry.recordings.contains(&recording));
            match place {
                None => Ok((monitor, ())),
                Some(place) if place + 1 < journal.len() => {
                    let reason =
                        "other sound was taken in after it: take that back first".to_owned();
                    Err(ModelError::Refused { reason })
                }
                Some(_) => Ok((monitor.undo()?.0, ())),
            }
        })
    }

    fn change<T>(
        &self,
        machine: &str,
        change: impl FnOnce(Monitor) -> Result<(Monitor, T), ModelError>,
    ) -> Result<T, ModelError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path_of(machine)?;
        if !path.exists() {
            return Err(ModelError::None { machine: machine.to_owned() });
        }
        let _other_programs_wait = self.lock(&path)?;
        let (changed, told) = change(Monitor::load(&path, Compute::default())?)?;
        changed.save(&path)?;
        self.take_into_use(&path, changed);
        Ok(told)
    }

    /// Takes a changed model into use for every machine whose file it is.
    fn take_into_use(&self, path: &Path, model: Monitor) {
        let judge: Arc<dyn Judge> = Arc::new(model.for_judging());
        let real = |path: &Path| path.canonicalize().ok();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.values().filter(|entry| real(&entry.path) == real(path)) {
            let judge = Some(Arc::clone(&judge));
            *entry.judge.write().unwrap_or_else(PoisonError::into_inner) = judge;
        }
    }

    /// Keeps other programs from changing a model file; waits for one that does.
    fn lock(&self, path: &Path) -> Result<Lock, ModelError> {
        let begun = Instant::now();
        loop {
            match lock_model(path) {
                Err(MonitorError::Locked { .. }) if begun.elapsed() < self.patience => {
                    thread::sleep(LOOK);
                }
                locked => return Ok(locked?),
            }
        }
    }

    fn path_of(&self, machine: &str) -> Result<PathBuf, ModelError> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(machine).ok_or(ModelError::None { machine: machine.to_owned() })?;
        Ok(entry.path.clone())
    }

    /// How learning of a machine goes.
    pub fn learning(&self, machine: &str) -> Learning {
        let learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        learning.get(machine).cloned().unwrap_or_default()
    }
}

/// Models in use, by what is in their files.
static IN_USE: Mutex<BTreeMap<[u8; 32], Weak<dyn Judge>>> = Mutex::new(BTreeMap::new());

/// Loads a model; machines whose files hold the same share one.
///
/// # Errors
/// [`ModelError::Monitor`] for a file that is none.
pub fn load(path: &Path) -> Result<Arc<dyn Judge>, ModelError> {
    read(path, &model_bytes(path)?)
}

/// Reads a model from the bytes of a file; machines whose files hold the same share one.
///
/// # Errors
/// [`ModelError::Monitor`] for what is none.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Arc<dyn Judge>, ModelError> {
    let content = Digest::of(bytes);
    let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = in_use.get(&content).and_then(Weak::upgrade) {
        return Ok(known);
    }
    let model = Monitor::read(path, bytes, Compute::default())?;
    let judge: Arc<dyn Judge> = Arc::new(model.for_judging());
    in_use.retain(|_, judge| judge.strong_count() > 0);
    in_use.insert(content, Arc::downgrade(&judge));
    Ok(judge)
}

#[cfg(all(test, unix))]
mod tests;
