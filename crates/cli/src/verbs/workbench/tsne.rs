//! `offkey tsne`: a map of the embeddings of a run.

use std::path::PathBuf;

use clap::Args;

use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey tsne RUN")]
pub(crate) struct TsneArgs {
    /// The run's folder
    pub(crate) run: PathBuf,
}

pub(crate) fn tsne(args: &TsneArgs, bars: &Bars) -> Result<(), CliError> {
    print(&format!("{}\n", offkey::map(&args.run, bars)?.display()));
    Ok(())
}
