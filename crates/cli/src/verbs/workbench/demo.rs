//! `offkey demo`: the whole tour on synthetic machines.

use std::path::PathBuf;

use clap::Args;

use super::{shared::ExistingArgs, tables};
use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey demo --out offkey-demo")]
pub(crate) struct DemoArgs {
    /// Where to write the recordings and the run
    #[arg(short, long, value_name = "DIR", default_value = "offkey-demo")]
    pub(crate) out: PathBuf,
    /// Seed of the recordings and the training
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) existing: ExistingArgs,
}

pub(crate) fn demo(args: &DemoArgs, bars: &Bars) -> Result<(), CliError> {
    let report = offkey::demo(&args.out, args.seed, args.existing.into(), bars)?;
    print(&tables::run_metrics(&report.metrics));
    print(&format!(
        "\nrecordings: {}\neverything about the run: {}\n",
        report.data.display(),
        report.run.join("report.html").display()
    ));
    Ok(())
}
