//! Models learned and tested by the program `offkey` beside this one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::PoisonError,
};

use offkey_core::with_causes;

use super::{Learning, ModelError, Models, load};

const LINES_KEPT: usize = 40;

impl Models {
    /// Learns a model from a folder of normal recordings and takes it into use. Blocks until that is done.
    ///
    /// # Errors
    /// [`ModelError`]; a model that was there stays. What the program said is in [`Models::learning`].
    pub fn learn(
        &self,
        machine: &str,
        normals: &Path,
        more: &[String],
    ) -> Result<bool, ModelError> {
        let (path, judge) = self.entry(machine)?;
        let learner = learner()?;
        self.begin(machine)?;
        let new = path.with_extension("new");
        let learned = self.run_learner(machine, &learner, normals, &new, more);
        let used = learned.and_then(|good| {
            if good {
                let loaded = load(&new)?;
                fs::rename(&new, &path)
                    .map_err(|source| ModelError::Io { path: path.clone(), source })?;
                *judge.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
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
        let (path, _) = self.entry(machine)?;
        if !path.exists() {
            return Err(ModelError::None { machine: machine.to_owned() });
        }
        let learner = learner()?;
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

    fn begin(&self, machine: &str) -> Result<(), ModelError> {
        let mut learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let now = learning.entry(machine.to_owned()).or_default();
        if now.running {
            return Err(ModelError::Busy { machine: machine.to_owned() });
        }
        *now = Learning { running: true, good: None, said: Vec::new() };
        Ok(())
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

/// The program that learns: beside this one.
fn learner() -> Result<PathBuf, ModelError> {
    let name = format!("offkey{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe().unwrap_or_default();
    let path = own.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(ModelError::NoLearner { path }) }
}
