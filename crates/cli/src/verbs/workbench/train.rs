//! `offkey train`: the model of a run, trained again or to the end.

use std::path::PathBuf;

use clap::Args;

use crate::{error::CliError, progress::Bars};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  offkey train RUN\n  offkey train RUN --resume")]
pub(crate) struct TrainArgs {
    /// The run's folder
    pub(crate) run: PathBuf,
    /// Go on where an interrupted training stopped
    #[arg(long)]
    pub(crate) resume: bool,
}

pub(crate) fn train(args: &TrainArgs, bars: &Bars) -> Result<(), CliError> {
    Ok(offkey::train(&args.run, args.resume, bars)?)
}
