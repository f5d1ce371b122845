//! Arguments and results that several verbs have in common.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use offkey::{
    Compute, Existing, Metrics, OffkeyError, RunMetrics,
    monitor::{Monitor, make_room_for, model_bytes},
};

use crate::{
    error::CliError,
    output::{print, print_json},
    table,
};

/// What scores single clips.
#[derive(Debug, Args)]
#[group(id = "detector", multiple = false)]
pub(crate) struct DetectorArgs {
    /// The run whose model and references score the clips
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// The model file of a monitor that scores the clips
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl DetectorArgs {
    /// The run or the model file, where one was named. Which of the two it is, its content says.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.run.as_deref().or(self.model.as_deref())
    }
}

/// What to do with an earlier run in the same place; without either, it is refused.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ExistingArgs {
    /// Go on where an interrupted run stopped
    #[arg(long, conflicts_with = "force")]
    pub(crate) resume: bool,
    /// Replace an earlier run in the same place
    #[arg(long)]
    pub(crate) force: bool,
}

impl From<ExistingArgs> for Existing {
    fn from(args: ExistingArgs) -> Self {
        match args {
            ExistingArgs { resume: true, .. } => Self::Resume,
            ExistingArgs { force: true, .. } => Self::Replace,
            ExistingArgs { .. } => Self::Refuse,
        }
    }
}

/// The monitor of a model file; of a run's folder, the error that says so.
pub(crate) fn load_monitor(path: &Path) -> Result<Monitor, OffkeyError> {
    offkey::expect_monitor(path)?;
    Ok(Monitor::load(path, Compute::default())?)
}

/// As [`load_monitor`], for what asks for no verdict: that costs a tenth of the time.
pub(crate) fn describe_monitor(path: &Path) -> Result<Monitor, OffkeyError> {
    offkey::expect_monitor(path)?;
    Ok(Monitor::describe(path, &model_bytes(path)?, Compute::default())?)
}

/// Does work that writes a file, and says that it was written. Folders that the file needs are made before, since
/// the work may take long, and are taken away again where it fails.
pub(crate) fn into_file<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, CliError>,
) -> Result<(T, String), CliError> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<&Path> = path.ancestors().skip(1).take_while(is_new).collect();
    let done = make_room_for(path).map_err(CliError::from).and_then(|()| work());
    if done.is_err() {
        for folder in &new {
            // One that holds something by now stays.
            let _ = fs::remove_dir(folder);
        }
    }
    let where_to = if new.is_empty() { "" } else { ", in a new folder" };
    Ok((done?, format!("wrote {}{where_to}\n", path.display())))
}

/// At least one recording, window or event is an alarm.
pub(crate) const EXIT_ALARM: u8 = 3;
/// No alarm, but something could not be judged or read.
pub(crate) const EXIT_UNJUDGED: u8 = 4;

/// Longest time that is taken for meant, in seconds: a year.
const LONGEST_S: f64 = 3.2e7;

/// Parses a time in seconds, as `10s` or `0.5`.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('s').trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= LONGEST_S => Ok(value),
        _ => Err(format!("expected a time in seconds as in 10s, found `{text}`")),
    }
}

pub(crate) fn print_run_metrics(metrics: &RunMetrics, json: bool) {
    if json { print_json(metrics) } else { print(&table::run_metrics(metrics)) }
}

pub(crate) fn print_metrics(metrics: &Metrics, json: bool) {
    if json { print_json(metrics) } else { print(&table::metrics(metrics)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(seconds("10s"), Ok(10.0));
        assert_eq!(seconds("0.5"), Ok(0.5));
        for text in ["-1s", "soon", "0", "inf", "nan", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
