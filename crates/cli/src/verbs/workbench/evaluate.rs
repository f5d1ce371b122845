//! `offkey evaluate`: metrics of a run, or of anybody's score files.

use std::path::PathBuf;

use clap::Args;
use offkey::{Progress, Year};

use super::shared::{print_metrics, print_run_metrics};
use crate::{error::CliError, progress::Bars};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey evaluate RUN --year 2023\n  offkey evaluate --scores SCORES --truth TRUTH --json"
)]
pub(crate) struct EvaluateArgs {
    /// A run's folder
    #[arg(required_unless_present = "scores")]
    pub(crate) run: Option<PathBuf>,
    /// Score files in the challenge's form: one file, or a folder of them
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "run")]
    pub(crate) scores: Option<PathBuf>,
    /// Truth files, where file names do not carry the label
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) truth: Option<PathBuf>,
    /// Challenge year, which decides the official score [default: as the names say]
    #[arg(long)]
    pub(crate) year: Option<Year>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn evaluate(args: &EvaluateArgs, bars: &Bars) -> Result<(), CliError> {
    match (&args.run, &args.scores) {
        (_, Some(scores)) => {
            let (metrics, unused) =
                offkey::evaluate_scores(scores, args.truth.as_deref(), args.year)?;
            for unused in unused {
                bars.warn(&unused.to_string());
            }
            print_metrics(&metrics, args.json);
        }
        (Some(run), None) => {
            let metrics = offkey::evaluate(run, args.year, bars)?;
            print_run_metrics(&metrics, args.json);
        }
        (None, None) => {}
    }
    Ok(())
}
