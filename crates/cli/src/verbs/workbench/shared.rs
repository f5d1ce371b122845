//! Arguments and results that several verbs of the workbench have in common.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use offkey::{Existing, Metrics, RunMetrics, monitor::make_room_for};

use super::tables;
use crate::{
    error::CliError,
    output::{print, print_json},
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

pub(crate) fn print_run_metrics(metrics: &RunMetrics, json: bool) {
    if json { print_json(metrics) } else { print(&tables::run_metrics(metrics)) }
}

pub(crate) fn print_metrics(metrics: &Metrics, json: bool) {
    if json { print_json(metrics) } else { print(&tables::metrics(metrics)) }
}
