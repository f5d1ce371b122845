//! The command line as typed.

mod monitor;

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
pub(crate) use monitor::{CheckArgs, InfoArgs, LearnArgs, SelftestArgs, UpdateArgs, WatchArgs};
use offkey::{AgainstColumn, DeviceKind, Existing, Kernels, Year};

/// Anomalous sound detection for machines, learned from normal recordings only.
#[derive(Debug, Parser)]
#[command(name = "offkey", version, about, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// CPU threads [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make synthetic machine sounds, train, score, evaluate and write a page: the whole tour
    Demo(DemoArgs),
    /// Train on recordings, score the test clips, evaluate, and write a page
    Run(RunArgs),
    /// Train the model of a run again, or finish an interrupted training
    Train(StageArgs),
    /// Redo a run's embeddings from its model
    Embed(StageArgs),
    /// Redo a run's scores from its embeddings, score single clips, or score anybody's embeddings
    Score(ScoreArgs),
    /// Evaluate a run's scores, or anybody's score files
    Evaluate(EvaluateArgs),
    /// Write a run's page again
    Report(ReportArgs),
    /// Say which part of a clip's spectrogram raises its score
    Explain(ExplainArgs),
    /// Draw a map of a run's embeddings by t-SNE
    Tsne(StageArgs),
    /// Ask a question with many trials: recipes times factors times data sets, one table
    Study(StudyArgs),
    /// Learn a monitor from normal recordings of a machine, into one file
    Learn(LearnArgs),
    /// Judge recordings with a monitor; exit code 3 when one of them is an alarm
    Check(CheckArgs),
    /// Listen for days: to a folder, a growing file, or standard input
    Watch(WatchArgs),
    /// Say what a monitor knows and promises
    Info(InfoArgs),
    /// Plant known faults into normal recordings and see which ones a monitor finds
    Selftest(SelftestArgs),
    /// Tell a monitor which recordings were normal after all
    Update(UpdateArgs),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// Look at recordings, or make synthetic ones
    #[command(subcommand)]
    Data(DataCommand),
    /// Print a shell completion script
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to write the recordings and the run
    #[arg(long, value_name = "DIR", default_value = "offkey-demo")]
    pub(crate) out: PathBuf,
    /// Seed of the recordings and the training
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) existing: ExistingArgs,
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

#[derive(Debug, Args)]
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
    #[arg(long, value_name = "RUN")]
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
    /// Change one value of the recipe, as in `model.network.training.epochs=20`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Leave unreadable recordings out and list them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Memory for decoded recordings, in megabytes
    #[arg(long, value_name = "MB", default_value_t = offkey::DEFAULT_CACHE_BYTES >> 20)]
    pub(crate) cache_mb: u64,
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

#[derive(Debug, Args)]
pub(crate) struct StageArgs {
    /// The run's folder
    pub(crate) run: PathBuf,
    /// Go on where an interrupted training stopped
    #[arg(long)]
    pub(crate) resume: bool,
    /// Print the metrics as JSON where there are any
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The run's folder
    pub(crate) run: PathBuf,
    /// Masks that explain each clip shown; 0 for a quick page without explanations
    #[arg(long, default_value_t = offkey::PAGE_MASKS, value_name = "N")]
    pub(crate) masks: usize,
    /// Draw scores against a column of a table that names clips by `path`, `file` or `name`
    #[arg(long, value_name = "COLUMN=CSV", value_parser = against)]
    pub(crate) against: Vec<AgainstColumn>,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// A run's folder; or clips, or folders of them, to score with --model
    #[arg(value_name = "RUN|CLIP", required_unless_present = "embeddings")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Score single clips with this run's model
    #[arg(long, value_name = "RUN")]
    pub(crate) model: Option<PathBuf>,
    /// The clips' machine, where the run knows several and the names do not say
    #[arg(long, requires = "model")]
    pub(crate) machine: Option<String>,
    /// The clips' section, likewise
    #[arg(long, requires = "model")]
    pub(crate) section: Option<String>,
    /// Score these vectors: float32 `.npy`, one row a clip
    #[arg(long, value_name = "FILE.npy", requires = "table", conflicts_with_all = ["inputs", "model"])]
    pub(crate) embeddings: Option<PathBuf>,
    /// The clips of the vectors, as a manifest CSV in the same order
    #[arg(long, value_name = "ROWS.csv", requires = "embeddings")]
    pub(crate) table: Option<PathBuf>,
    /// Backend: a name for its defaults, or a TOML file with a [backend] table
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) backend: Option<String>,
    /// Where to write the scores
    #[arg(long, value_name = "DIR", requires = "embeddings")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of the backend
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
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

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Recordings, or folders of them
    #[arg(required = true)]
    pub(crate) clips: Vec<PathBuf>,
    /// The run whose model scored them
    #[arg(long, value_name = "RUN")]
    pub(crate) model: PathBuf,
    /// The clips' machine, where the run knows several and the names do not say
    #[arg(long)]
    pub(crate) machine: Option<String>,
    /// The clips' section, likewise
    #[arg(long)]
    pub(crate) section: Option<String>,
    /// Most masks scored; fewer where the estimate settles earlier
    #[arg(long, default_value = "2000", value_name = "N")]
    pub(crate) masks: NonZeroUsize,
    /// Cells of a mask along time and frequency: finer ones point more closely and need more masks
    #[arg(long, default_value = "8x8", value_name = "TIMExFREQUENCY", value_parser = grid)]
    pub(crate) grid: (usize, usize),
    /// Probability that a cell is kept
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    pub(crate) keep: f64,
    /// Seed of the masks
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where pictures and numbers go [default: RUN/explain]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `8x16` as a pair.
fn grid(text: &str) -> Result<(usize, usize), String> {
    let pair = text
        .split_once('x')
        .and_then(|(time, frequency)| Some((time.parse().ok()?, frequency.parse().ok()?)));
    pair.ok_or_else(|| "expected two numbers of cells, as in `8x16`".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct StudyArgs {
    /// A built-in study's name, or a TOML file
    #[arg(required_unless_present = "list")]
    pub(crate) study: Option<String>,
    /// List the built-in studies
    #[arg(long)]
    pub(crate) list: bool,
    /// Say what would run and how long it takes; needs no data
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where models, results and tables go; what is there is not run again
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Bind a data set, or the recordings of noise a study names: a folder or manifest; `{trial}` in it
    /// becomes the trial's number
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) data: Vec<String>,
    /// Trials of each cell, instead of the study's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) trials: Option<u64>,
    /// Change one value of the recipe that cells start from, as in
    /// `model.network.training.length={steps=500}`; what a level sets stays
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Memory for decoded recordings, in megabytes
    #[arg(long, value_name = "MB", default_value_t = offkey::DEFAULT_CACHE_BYTES >> 20)]
    pub(crate) cache_mb: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RecipesArgs {
    /// Print this recipe's TOML
    pub(crate) name: Option<String>,
    /// Print as JSON, every default spelled out
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Say what a folder of recordings holds, and every problem in it
    Inspect(InspectArgs),
    /// Make synthetic machine sounds with known faults
    Synth(SynthArgs),
    /// Make a test set of planted faults from training recordings alone, to compare recipes by
    Plant(PlantArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlantArgs {
    /// Folders, or manifest CSVs; their test clips are not looked at
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Where to write the manifest and the recordings with faults
    #[arg(long, value_name = "DIR")]
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

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A folder, or a manifest CSV
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Truth and attribute CSV files that are not beside the recordings
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) truth: Vec<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SynthArgs {
    /// Where to write the recordings
    #[arg(long, value_name = "DIR")]
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

impl From<ExistingArgs> for Existing {
    fn from(args: ExistingArgs) -> Self {
        match args {
            ExistingArgs { resume: true, .. } => Self::Resume,
            ExistingArgs { force: true, .. } => Self::Replace,
            ExistingArgs { .. } => Self::Refuse,
        }
    }
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

/// Parses `COLUMN=CSV`.
fn against(text: &str) -> Result<AgainstColumn, String> {
    match text.split_once('=') {
        Some((column, table)) if !column.is_empty() && !table.is_empty() => {
            Ok(AgainstColumn { column: column.to_owned(), table: table.into() })
        }
        _ => Err(format!("expected COLUMN=CSV as in snr_db=truth.csv, found `{text}`")),
    }
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn seed_ranges_include_both_ends() {
        assert_eq!(seed_range("0..4"), Ok(0..=4));
        assert_eq!(seed_range("3..=3"), Ok(3..=3));
        assert!(seed_range("4..0").is_err());
        assert!(seed_range("4").is_err());
    }
}
