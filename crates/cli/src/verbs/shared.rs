//! Arguments and results that several verbs have in common.

use clap::Args;
use offkey::{Existing, Metrics, RunMetrics};

use crate::{
    output::{print, print_json},
    table,
};

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
