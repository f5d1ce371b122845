//! Whatever scores recordings, by what its path holds: a run, or a monitor.

use std::path::{Path, PathBuf};

use offkey_infer::Compute;
use offkey_monitor::{Monitor, Stop, Verdict};

use crate::{ClipScore, Detector, Holds, OffkeyError, holds};

/// A run or a monitor, ready to score recordings.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use offkey::{Compute, Loaded, Recipe, RunRequest, Silent, SynthConfig, recordings, run, synthesize};
///
/// # let folder = tempfile::tempdir()?;
/// # let (data, out) = (folder.path().join("data"), folder.path().join("run"));
/// # let config = SynthConfig { machines: 1, clips: 12, clip_s: 2.0, ..SynthConfig::default() };
/// # synthesize(&config, &data, &Silent)?;
/// # let recipe = Recipe::load("fusion", &["model.pooled.clip_s=2.0".to_owned()])?;
/// # run(&RunRequest::new(vec![data.clone()], recipe, out.clone()), &Silent)?;
/// let loaded = Loaded::open(&out, Compute::default())?; // a run's folder, or a monitor's model file
/// let clip = &recordings(&[data.join("fan/test")])?[0];
/// let score = loaded.score(clip, None, None)?;
/// println!("{}: {:.3}, above {:.3} is anomalous", clip.display(), score.score, score.threshold);
/// # Ok(())
/// # }
/// ```
pub enum Loaded {
    /// The detector of a run.
    Run(Box<Detector>),
    /// A monitor.
    Monitor(Box<Monitor>),
}

impl Loaded {
    /// Loads what a path holds: the folder of a run, or the model file of a monitor.
    ///
    /// # Errors
    /// [`OffkeyError`] when it holds neither, or a file is damaged.
    pub fn open(path: &Path, compute: Compute) -> Result<Self, OffkeyError> {
        match holds(path) {
            Holds::Monitor => Ok(Self::Monitor(Box::new(Monitor::load(path, compute)?))),
            Holds::Run | Holds::Seeds | Holds::Other => {
                Ok(Self::Run(Box::new(Detector::load(path)?)))
            }
        }
    }

    /// Scores one recording. For a run, machine and section are the ones given, or those that the name says;
    /// a monitor knows one machine. Its score is that of the worst window, and 0 is the threshold.
    ///
    /// # Errors
    /// As [`Detector::score`] and [`Monitor::examine`].
    pub fn score(
        &self,
        path: &Path,
        machine: Option<&str>,
        section: Option<&str>,
    ) -> Result<ClipScore, OffkeyError> {
        self.score_until(path, (machine, section), &|| false)
    }

    /// As [`Loaded::score`], until `stop` says so: a recording may last for hours.
    ///
    /// # Errors
    /// As [`Loaded::score`], and an error of the kind [`ErrorKind::Cancelled`](crate::ErrorKind) once `stop` says so.
    pub fn score_until(
        &self,
        path: &Path,
        (machine, section): (Option<&str>, Option<&str>),
        stop: Stop<'_>,
    ) -> Result<ClipScore, OffkeyError> {
        if stop() {
            return Err(OffkeyError::Cancelled { run: PathBuf::new() });
        }
        let monitor = match self {
            Self::Run(run) => {
                return Ok(run.score(&[path.to_owned()], machine, section)?.remove(0));
            }
            Self::Monitor(monitor) => monitor,
        };
        let examined = monitor.examine_until(path, stop)?;
        let nearest = examined.nearest.map_or_else(String::new, |(recording, _)| recording);
        Ok(ClipScore {
            path: path.to_owned(),
            machine: monitor.card().name.clone(),
            section: String::new(),
            score: examined.score,
            threshold: 0.0,
            decision: examined.clip.verdict == Verdict::Alarm,
            expected_false_alarms: monitor.promise().at_most,
            raised_by: examined.raised_by,
            nearest: PathBuf::from(nearest),
        })
    }

    /// What is worth saying of the rate of a recording before it is scored.
    ///
    /// # Errors
    /// [`OffkeyError::Audio`] when the recording cannot be read.
    pub fn about_rate(&self, path: &Path) -> Result<Option<String>, OffkeyError> {
        match self {
            Self::Run(run) => run.about_rate(path),
            // A monitor refuses what it cannot judge.
            Self::Monitor(_) => Ok(None),
        }
    }
}
