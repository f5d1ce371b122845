//! Models learned and tested by the program `offkey` beside this one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::PoisonError,
};

use offkey_core::with_causes;
use offkey_infer::Compute;
use offkey_monitor::{Addition, JournalEntry, Monitor};

use super::{Learning, ModelError, Models, learner::Begun};

const LINES_KEPT: usize = 40;

impl Models {
    /// Begins to learn a machine: from here on it is being learned, and nobody else can begin.
    ///
    /// # Errors
    /// [`ModelError::Busy`] when it is being learned already, [`ModelError::NoLearner`], [`ModelError::None`].
    pub fn begin(&self, machine: &str) -> Result<Begun, ModelError> {
        let (path, learner) = (self.path_of(machine)?, self.learner()?);
        let mut learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let now = learning.entry(machine.to_owned()).or_default();
        if now.running {
            return Err(ModelError::Busy { machine: machine.to_owned() });
        }
        *now = Learning { running: true, good: None, said: Vec::new() };
        Ok(Begun { machine: machine.to_owned(), path, learner })
    }

    /// Learns a model from a folder of normal recordings and takes it into use. Blocks until that is done.
    ///
    /// # Errors
    /// [`ModelError`]; a model that was there stays. What the program said is in [`Models::learning`].
    pub fn learn(&self, begun: Begun, normals: &Path, more: &[String]) -> Result<bool, ModelError> {
        let Begun { machine, path, learner } = begun;
        let machine = machine.as_str();
        let new = path.with_extension(format!("{machine}.new"));
        let learned = self.run_learner(machine, &learner, normals, &new, more);
        let used = learned.and_then(|good| {
            if good {
                self.replace(machine, &new, &path)?;
            }
            Ok(good)
        });
        let mut learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let now = learning.entry(machine.to_owned()).or_default();
        now.running = false;
        now.good = Some(matches!(used, Ok(true)));
        if let Err(error) = &used {
            now.said.push(with_causes(error));
        }
        used
    }

    /// Plants faults into normal sound and says how loud they have to be to be found, as `offkey selftest` does.
    ///
    /// # Errors
    /// [`ModelError`] when there is no model, or no program that tests it.
    pub fn self_test(&self, machine: &str) -> Result<serde_json::Value, ModelError> {
        let path = self.path_of(machine)?;
        if !path.exists() {
            return Err(ModelError::None { machine: machine.to_owned() });
        }
        let learner = self.learner()?;
        let output = Command::new(&learner)
            .arg("selftest")
            .arg("--model")
            .arg(&path)
            .args(["--json", "--quiet"])
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ModelError::Io { path: learner, source })?;
        serde_json::from_slice(&output.stdout).map_err(|_| ModelError::SelfTest {
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Puts a new model in the place of the one in use. What people, or other programs, took into that one is taken into
    /// this as well, as far as its sound is still there; what is not is told.
    pub(super) fn replace(&self, machine: &str, new: &Path, path: &Path) -> Result<(), ModelError> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| ModelError::Io { path: path.to_owned(), source };
        let mut model = Monitor::load(new, Compute::default())?;
        if !path.exists() {
            fs::rename(new, path).map_err(failed)?;
            self.take_into_use(path, model);
            return Ok(());
        }
        let _other_programs_wait = self.lock(path)?;
        let mut added = false;
        for entry in journal(path) {
            let addition = match (entry.whole_period, entry.forced.is_empty()) {
                (true, _) => Addition::WholePeriod,
                (false, false) => Addition::Forced,
                (false, true) => Addition::Normal,
            };
            let (there, gone): (Vec<PathBuf>, Vec<PathBuf>) =
                entry.recordings.iter().map(PathBuf::from).partition(|path| path.is_file());
            for recording in gone {
                self.say(
                    machine,
                    format!(
                        "`{}` was called normal before, and its sound is no longer kept: the new model does not know it. \
                         If it alarms again, call it normal again",
                        recording.display()
                    ),
                );
            }
            let (updated, report) = model.update(&there, addition, &|_, _| true)?;
            model = updated;
            added |= !report.added.is_empty();
            for (recording, reason) in report.refused {
                self.say(
                    machine,
                    format!(
                        "`{}` was called normal before, and is not taken into the new model: {reason}",
                        recording.display()
                    ),
                );
            }
        }
        if added {
            model.save(path)?;
            // One that cannot be removed is overwritten by the next learning.
            let _ = fs::remove_file(new);
        } else {
            // What a link leads to is replaced, as updates do.
            fs::rename(new, fs::canonicalize(path).map_err(failed)?).map_err(failed)?;
        }
        self.take_into_use(path, model);
        Ok(())
    }

    fn say(&self, machine: &str, line: String) {
        let mut learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        learning.entry(machine.to_owned()).or_default().said.push(line);
    }

    fn learner(&self) -> Result<PathBuf, ModelError> {
        let path = self.learner.clone();
        if path.is_file() { Ok(path) } else { Err(ModelError::NoLearner { path }) }
    }

    fn run_learner(
        &self,
        machine: &str,
        learner: &Path,
        normals: &Path,
        new: &Path,
        more: &[String],
    ) -> Result<bool, ModelError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ModelError::Io { path, source }
        };
        if let Some(folder) = new.parent() {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let output = Command::new(learner)
            .arg("learn")
            .arg(normals)
            .arg("-o")
            .arg(new)
            .args(["--name", machine])
            // What an earlier attempt left there is no model in use.
            .arg("--force")
            .args(more)
            .stdin(Stdio::null())
            .output()
            .map_err(failed(learner))?;
        let said = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let lines: Vec<String> =
            said.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
        let kept = lines[lines.len().saturating_sub(LINES_KEPT)..].to_vec();
        let mut learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        learning.entry(machine.to_owned()).or_default().said = kept;
        Ok(output.status.success())
    }
}

/// What was added to a model after learning; nothing where there is no model.
fn journal(path: &Path) -> Vec<JournalEntry> {
    let model = Monitor::load(path, Compute::default());
    model.map_or_else(|_| Vec::new(), |model| model.card().journal.clone())
}
