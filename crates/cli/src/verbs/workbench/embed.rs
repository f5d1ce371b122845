//! `offkey embed`: the embeddings of a run, made again from its model.

use std::path::PathBuf;

use clap::Args;

use crate::{error::CliError, progress::Bars};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey embed RUN")]
pub(crate) struct EmbedArgs {
    /// The run's folder
    pub(crate) run: PathBuf,
}

pub(crate) fn embed(args: &EmbedArgs, bars: &Bars) -> Result<(), CliError> {
    Ok(offkey::embed(&args.run, bars)?)
}
