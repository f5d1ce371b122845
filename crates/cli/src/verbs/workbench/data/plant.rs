//! `offkey data plant`: a test set of planted faults from training recordings alone.

use std::path::PathBuf;

use clap::Args;
use offkey::{PlantRequest, counted};

use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey data plant DATA --out PLANTED --level 10")]
pub(crate) struct PlantArgs {
    /// Folders, or manifest CSVs; their test clips are not looked at
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Where to write the manifest and the recordings with faults
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Power of a fault while it lasts, relative to its recording, in decibels
    #[arg(long, value_name = "DB", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) level: f64,
    /// Share of each section's training recordings that is held out
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    pub(crate) holdout: f64,
    /// Seed of every choice
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

pub(crate) fn plant(args: PlantArgs, bars: &Bars) -> Result<(), CliError> {
    let PlantArgs { data, out, level, holdout, seed } = args;
    let request = PlantRequest { data, out, level_db: level, holdout, seed };
    let report = offkey::plant_faults(&request, bars)?;
    print(&format!(
        "{} to train on, {} held out, each with and without a fault; now: offkey run --data {} --recipe NAME --out RUN\n",
        counted(report.training, "clip"),
        report.held_out,
        report.manifest.display()
    ));
    Ok(())
}
