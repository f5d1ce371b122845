//! Arguments and results that several verbs have in common.

use std::path::{Path, PathBuf};

use clap::Args;
use offkey::{Existing, Metrics, RunMetrics};

use crate::{
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
    #[arg(long, value_name = "FILE")]
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

pub(crate) fn print_run_metrics(metrics: &RunMetrics, json: bool) {
    if json { print_json(metrics) } else { print(&table::run_metrics(metrics)) }
}

pub(crate) fn print_metrics(metrics: &Metrics, json: bool) {
    if json { print_json(metrics) } else { print(&table::metrics(metrics)) }
}
