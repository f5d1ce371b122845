//! `offkey explain`: what raises the score of a clip.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::Args;
use offkey::{
    Compute, DetectError, Detector, ExplainRequest, Loaded, OffkeyError, Progress, RiseConfig,
    Seed,
    monitor::{Monitor, MonitorError},
    printable, with_causes,
};

use super::{WorkbenchError, shared::DetectorArgs};
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
    /// Most masks scored; fewer where the estimate settles earlier; of a run only [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) masks: Option<NonZeroUsize>,
    /// Cells of a mask along time and frequency: finer ones point more closely and need more masks; of a
    /// run only [default: 8x8]
    #[arg(long, value_name = "TIMExFREQUENCY", value_parser = grid)]
    pub(crate) grid: Option<(usize, usize)>,
    /// Probability that a cell is kept; of a run only [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub(crate) keep: Option<f64>,
    /// Seed of the masks; of a run only [default: 0]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Where pictures and numbers go; of a run only [default: RUN/explain]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn explain(args: &ExplainArgs, bars: &Bars) -> Result<(), CliError> {
    let path = args.detector.path().ok_or(WorkbenchError::NoDetector)?;
    match Loaded::open(path, Compute::default())? {
        Loaded::Run(detector) => explain_by_run(args, path, &detector, bars),
        Loaded::Monitor(monitor) => explain_by_monitor(args, path, &monitor, bars),
    }
}

/// What each member of a monitor says of the worst window of each recording.
fn explain_by_monitor(
    args: &ExplainArgs,
    path: &Path,
    monitor: &Monitor,
    bars: &Bars,
) -> Result<(), CliError> {
    let for_runs = [
        ("--masks", args.masks.is_some()),
        ("--grid", args.grid.is_some()),
        ("--keep", args.keep.is_some()),
        ("--seed", args.seed.is_some()),
        ("--out", args.out.is_some()),
    ];
    if let Some((option, _)) = for_runs.into_iter().find(|(_, said)| *said) {
        return Err(WorkbenchError::ForRuns { path: path.to_owned(), option }.into());
    }
    let paths = offkey::recordings(&args.clips)?;
    let mut examined = Vec::new();
    for path in &paths {
        match monitor.examine_until(path, &|| bars.cancelled()) {
            Err(error @ MonitorError::Cancelled) => return Err(error.into()),
            // One recording that cannot be used keeps no other from its explanation.
            Err(error) if paths.len() > 1 => bars.warn(&with_causes(&error)),
            found => examined.push(found.map_err(OffkeyError::from)?),
        }
    }
    if args.json {
        print_json(&examined);
    } else {
        for found in &examined {
            print(&format!("{}\n", printable(&found.clip.path.display().to_string())));
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
        failed => Err(WorkbenchError::Some { failed, total, done: "explained" }.into()),
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
    let (time_cells, frequency_cells) = args.grid.unwrap_or((8, 8));
    let request = ExplainRequest {
        machine: args.machine.clone(),
        section: args.section.clone(),
        rise: RiseConfig {
            time_cells,
            frequency_cells,
            keep: args.keep.unwrap_or(0.5),
            masks: args.masks.map_or(1024, NonZeroUsize::get),
            ..RiseConfig::default()
        },
        seed: Seed::new(args.seed.unwrap_or(0)),
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
                bars.warn(&with_causes(&error));
                continue;
            }
            other => other?,
        };
        if !args.json {
            print(&format!("{}\n", printable(&path.display().to_string())));
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
