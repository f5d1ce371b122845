//! `offkey explain`: what raises the score of a clip.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::Args;
use offkey::{
    Compute, DetectError, Detector, ExplainRequest, Loaded, OffkeyError, Progress, RiseConfig,
    Seed, monitor::Monitor,
};

use super::shared::DetectorArgs;
use crate::{
    error::CliError,
    output::{print, print_json},
    progress::Bars,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  offkey explain CLIP.wav --run RUN\n  offkey explain CLIP.wav --run RUN --grid 8x16 --masks 4000\n  offkey explain CLIP.wav --model pump.offkey"
)]
pub(crate) struct ExplainArgs {
    /// Recordings, or folders of them
    #[arg(required = true)]
    pub(crate) clips: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) detector: DetectorArgs,
    /// The clips' machine, where the run has several and the names do not say
    #[arg(long)]
    pub(crate) machine: Option<String>,
    /// The clips' section, likewise
    #[arg(long)]
    pub(crate) section: Option<String>,
    /// Most masks scored; fewer where the estimate settles earlier
    #[arg(long, default_value = "1024", value_name = "N")]
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

pub(crate) fn explain(args: &ExplainArgs, bars: &Bars) -> Result<(), CliError> {
    let path = args.detector.path().ok_or(CliError::NoDetector)?;
    match Loaded::open(path, Compute::default())? {
        Loaded::Run(detector) => explain_by_run(args, path, &detector, bars),
        Loaded::Monitor(monitor) => explain_by_monitor(args, &monitor, bars),
    }
}

/// What each member of a monitor says of the worst window of each recording.
fn explain_by_monitor(args: &ExplainArgs, monitor: &Monitor, bars: &Bars) -> Result<(), CliError> {
    let paths = offkey::recordings(&args.clips)?;
    let mut examined = Vec::new();
    for path in &paths {
        match monitor.examine(path) {
            // One recording that cannot be used keeps no other from its explanation.
            Err(error) if paths.len() > 1 => bars.warn(&error.to_string()),
            found => examined.push(found.map_err(OffkeyError::from)?),
        }
    }
    if args.json {
        print_json(&examined);
    } else {
        for found in &examined {
            print(&format!("{}\n", found.clip.path.display()));
            for words in found.words() {
                print(&format!("  {words}\n"));
            }
        }
    }
    all_done(paths.len(), examined.len())
}

fn all_done(total: usize, done: usize) -> Result<(), CliError> {
    match total - done {
        0 => Ok(()),
        failed => Err(CliError::Some { failed, total, done: "explained" }),
    }
}

/// Which places of each clip's spectrogram raise its score by a run's network.
fn explain_by_run(
    args: &ExplainArgs,
    path: &Path,
    detector: &Detector,
    bars: &Bars,
) -> Result<(), CliError> {
    let paths = offkey::recordings(&args.clips)?;
    let request = ExplainRequest {
        machine: args.machine.clone(),
        section: args.section.clone(),
        rise: RiseConfig {
            time_cells: args.grid.0,
            frequency_cells: args.grid.1,
            keep: args.keep,
            masks: args.masks.get(),
            ..RiseConfig::default()
        },
        seed: Seed::new(args.seed),
        folder: args.out.clone().unwrap_or_else(|| path.join("explain")),
    };
    let mut explanations = Vec::new();
    for path in &paths {
        let explanation = match offkey::explain_clip(detector, path, &request, bars) {
            // One clip that cannot be used keeps no other from its explanation.
            Err(
                error @ (OffkeyError::Audio(_)
                | OffkeyError::Detect(DetectError::UnknownSection { .. })),
            ) if paths.len() > 1 => {
                bars.warn(&error.to_string());
                continue;
            }
            other => other?,
        };
        if !args.json {
            print(&format!("{}\n", path.display()));
            for words in &explanation.words {
                print(&format!("  {words}\n"));
            }
            let sheet = explanation.folder.join("explanation.svg");
            print(&format!("  to look at: {}\n", sheet.display()));
        }
        explanations.push(explanation);
    }
    if args.json {
        print_json(&explanations);
    }
    all_done(paths.len(), explanations.len())
}

/// `8x16` as a pair.
fn grid(text: &str) -> Result<(usize, usize), String> {
    let pair = text
        .split_once('x')
        .and_then(|(time, frequency)| Some((time.parse().ok()?, frequency.parse().ok()?)));
    pair.ok_or_else(|| "expected two numbers of cells, as in `8x16`".to_owned())
}
