//! `offkey run`: from recordings to a page.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};
use offkey::{Compute, DeviceKind, Kernels, Recipe, Registries, RunRequest, Seeds, Watch, Year};

use super::shared::{ExistingArgs, print_run_metrics};
use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey run --data DATA --out RUN\n  offkey run --data DATA --recipe small --seeds 0..4 --out RUN\n  offkey run --data DATA --recipe log-mel-statistics --set backend.gmm.components=2 --out RUN"
)]
pub(crate) struct RunArgs {
    /// Recordings: a folder, or a manifest CSV; may be given several times
    #[arg(long, value_name = "DIR|CSV", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Truth and attribute CSV files that are not beside the recordings
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) truth: Vec<PathBuf>,
    /// A built-in recipe's name, or a TOML file
    #[arg(long, default_value = "default")]
    pub(crate) recipe: String,
    /// Where to write the run
    #[arg(short, long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) seeds: SeedArgs,
    /// Challenge year, which decides the official score [default: as the names say]
    #[arg(long)]
    pub(crate) year: Option<Year>,
    /// Where to compute: cpu, or gpu where built with it
    #[arg(long, value_enum, default_value = "cpu")]
    pub(crate) device: Device,
    /// Kernels on the CPU: auto takes the fast ones where they fit, reference the plain layers
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) kernels: KernelChoice,
    /// Change one value of the recipe, as in `model.network.training.length.steps=20`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Leave unreadable recordings out and list them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Memory for decoded recordings, in megabytes
    #[arg(long, value_name = "MB", default_value_t = offkey::DEFAULT_CACHE_BYTES >> 20)]
    pub(crate) cache_mb: u64,
    /// Write event files into RUN/events while training, for `tensorboard --logdir RUN`
    #[arg(long)]
    pub(crate) tensorboard: bool,
    /// Write the AUC on the test clips after every N epochs into watched.csv: for looking only, whoever
    /// chooses by it has trained on the test set
    #[arg(long, value_name = "N")]
    pub(crate) watch_metrics: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) existing: ExistingArgs,
    /// Print the metrics as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct SeedArgs {
    /// Seed of this run
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Several seeds, both ends included, as in `0..4`
    #[arg(long, value_name = "A..B", value_parser = seed_range)]
    pub(crate) seeds: Option<std::ops::RangeInclusive<u64>>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Device {
    Cpu,
    Gpu,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KernelChoice {
    Auto,
    Reference,
}

impl From<Device> for DeviceKind {
    fn from(device: Device) -> Self {
        match device {
            Device::Cpu => Self::Cpu,
            Device::Gpu => Self::Gpu,
        }
    }
}

impl From<KernelChoice> for Kernels {
    fn from(kernels: KernelChoice) -> Self {
        match kernels {
            KernelChoice::Auto => Self::Auto,
            KernelChoice::Reference => Self::Reference,
        }
    }
}

pub(crate) fn run(args: RunArgs, bars: &Bars) -> Result<(), CliError> {
    let request = RunRequest {
        data: args.data,
        truth: args.truth,
        recipe: Recipe::load(&args.recipe, &args.set)?,
        out: args.out,
        existing: args.existing.into(),
        seeds: args.seeds.seeds.map_or(Seeds::One(args.seeds.seed), Seeds::Each),
        year: args.year,
        compute: Compute { device: args.device.into(), kernels: args.kernels.into() },
        skip_bad: args.skip_bad,
        cache_bytes: args.cache_mb << 20,
        registries: Registries::default(),
        watch: Watch { metrics_epochs: args.watch_metrics, events: args.tensorboard },
    };
    let metrics = offkey::run(&request, bars)?;
    print_run_metrics(&metrics, args.json);
    if !args.json {
        print(&format!(
            "\neverything about the run: {}\n",
            request.out.join("report.html").display()
        ));
    }
    Ok(())
}

/// Parses `A..B`, both ends included.
fn seed_range(text: &str) -> Result<std::ops::RangeInclusive<u64>, String> {
    let parse = |part: &str| part.trim_start_matches('=').parse::<u64>().ok();
    match text.split_once("..").map(|(a, b)| (parse(a), parse(b))) {
        Some((Some(first), Some(last))) if first <= last => Ok(first..=last),
        _ => Err(format!("expected two whole numbers as in 0..4, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_ranges_include_both_ends() {
        assert_eq!(seed_range("0..4"), Ok(0..=4));
        assert_eq!(seed_range("3..=3"), Ok(3..=3));
        assert!(seed_range("4..0").is_err());
        assert!(seed_range("4").is_err());
    }
}
