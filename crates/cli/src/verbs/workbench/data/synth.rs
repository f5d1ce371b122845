//! `offkey data synth`: synthetic machine sounds with known faults.

use std::path::PathBuf;

use clap::Args;
use offkey::SynthConfig;

use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey data synth --out DATA --machines 2 --clips 32")]
pub(crate) struct SynthArgs {
    /// Where to write the recordings
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Machine types
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) machines: usize,
    /// Sections of each machine type
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) sections: usize,
    /// Training clips of each section
    #[arg(long, default_value_t = 100, value_name = "N", conflicts_with = "hours")]
    pub(crate) clips: usize,
    /// Hours of training audio altogether, instead of --clips
    #[arg(long, value_name = "H")]
    pub(crate) hours: Option<f64>,
    /// Machine against factory background, in decibels
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    pub(crate) snr: Option<f64>,
    /// Length of a clip, in seconds
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub(crate) clip_s: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

pub(crate) fn synth(args: &SynthArgs, bars: &Bars) -> Result<(), CliError> {
    let defaults = SynthConfig::default();
    let config = SynthConfig {
        machines: args.machines,
        sections: args.sections,
        clips: args.clips,
        hours: args.hours,
        snr_db: args.snr.unwrap_or(defaults.snr_db),
        clip_s: args.clip_s,
        seed: args.seed,
        ..defaults
    };
    let report = offkey::synthesize(&config, &args.out, bars)?;
    print(&format!(
        "{} training and {} test clips in {}\n",
        report.train_clips,
        report.test_clips,
        args.out.display()
    ));
    Ok(())
}
