//! `offkey learn`: a monitor from normal recordings.

use std::path::{Path, PathBuf};

use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};
use offkey::{
    Compute, OffkeyError, Recipe, counted, is_audio,
    learn::LearnRequest,
    monitor::{FalseAlarmRate, RecordingCard},
};

use super::{WorkbenchError, shared::into_file};
use crate::{error::CliError, output::print, progress::Bars, verbs::shared::seconds};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey learn RECORDINGS -o pump.offkey")]
pub(crate) struct LearnArgs {
    /// Normal recordings, or folders or manifests of them; subfolders are machines or conditions
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// The model file to write
    #[arg(short, long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(model_name))]
    pub(crate) output: PathBuf,
    /// What the machine is called [default: the model file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How many false alarms are acceptable, as in "5%", "1 per week" or "1 a day" [default: as few as the
    /// recordings support]
    #[arg(long, value_name = "RATE")]
    pub(crate) false_alarms: Option<FalseAlarmRate>,
    /// Recordings of known faults, or a folder of them: what sounds like them scores higher, and the
    /// bound on false alarms holds as before; give it again for more
    #[arg(long, value_name = "PATH")]
    pub(crate) faults: Vec<PathBuf>,
    /// Length of a window, as in 2s [default: 10s, or as long as shorter recordings are; a recipe's network
    /// takes its own `clip_s`]
    #[arg(long, value_parser = window)]
    pub(crate) window: Option<f64>,
    /// Time between the starts of windows, as in 10s [default: the length of a window]
    #[arg(long, value_parser = seconds)]
    pub(crate) every: Option<f64>,
    /// A recipe with a network or statistics: a built-in name, or a TOML file [default: a fusion of four
    /// spectra, which needs no training]
    #[arg(long)]
    pub(crate) recipe: Option<String>,
    /// Change one value of the recipe
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "recipe")]
    pub(crate) set: Vec<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Replace an existing model file
    #[arg(long)]
    pub(crate) force: bool,
}

/// Shorter windows hold too few samples for a spectrum at the usual rates.
const SHORTEST_WINDOW_S: f64 = 0.1;

fn window(text: &str) -> Result<f64, String> {
    match seconds(text)? {
        short if short < SHORTEST_WINDOW_S => Err(format!(
            "expected {SHORTEST_WINDOW_S} s or longer, found {short} s: too few samples for a spectrum; 1s to 10s are usual"
        )),
        length => Ok(length),
    }
}

/// A model file is replaced whole, which standard output cannot be.
fn model_name(path: PathBuf) -> Result<PathBuf, &'static str> {
    if path == Path::new("-") {
        return Err(
            "a model cannot be written to standard output: name a file, as in -o pump.offkey",
        );
    }
    Ok(path)
}

/// An error where the model would take the place of a recording, or of a list of recordings.
fn keep_recordings(args: &LearnArgs) -> Result<(), CliError> {
    let name = args.output.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let same = |input: &PathBuf| is_same(input, &args.output);
    let found = match () {
        () if is_audio(&name) => "its name ends as that of a recording",
        () if args.data.iter().chain(&args.faults).any(same) => "it is what is to be learned from",
        () => return Ok(()),
    };
    Err(WorkbenchError::OverRecording { path: args.output.clone(), found }.into())
}

/// Whether two names are of one file that is there; of a folder it is said elsewhere.
fn is_same(one: &Path, other: &Path) -> bool {
    one.is_file() && one.canonicalize().ok() == other.canonicalize().ok()
}

pub(crate) fn learn(args: &LearnArgs, bars: &Bars) -> Result<(), CliError> {
    keep_recordings(args)?;
    if !args.force && args.output.exists() {
        return Err(OffkeyError::ModelExists { path: args.output.clone() }.into());
    }
    let stem = args.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let recipe = args.recipe.as_ref().map(|name| Recipe::load(name, &args.set)).transpose();
    let request = LearnRequest {
        data: args.data.clone(),
        faults: args.faults.clone(),
        name: args.name.clone().or(stem).unwrap_or_else(|| "machine".to_owned()),
        false_alarms: args.false_alarms,
        window_s: args.window,
        every_s: args.every,
        recipe: recipe.map_err(OffkeyError::from)?,
        seed: args.seed,
        compute: Compute::default(),
    };
    let ((monitor, report), wrote) = into_file(&args.output, || {
        let (monitor, report) = offkey::learn::learn(&request, bars)?;
        let learned_from = |card: &RecordingCard| is_same(Path::new(&card.path), &args.output);
        if monitor.card().recordings.iter().any(learned_from) {
            let found = "it is a recording that is learned from";
            return Err(WorkbenchError::OverRecording { path: args.output.clone(), found }.into());
        }
        monitor.save(&args.output)?;
        Ok((monitor, report))
    })?;
    let mut text = format!(
        "learned from {}, {} of {:.1} s\ndetector: {}\npromise: {}\n",
        counted(report.recordings, "recording"),
        counted(report.windows, "window"),
        report.window_s,
        monitor.card().explanation,
        monitor.promise()
    );
    for warning in &report.warnings {
        text += &format!("warning: {warning}\n");
    }
    for (path, reason) in &report.left_out {
        text += &format!("left out: {}: {reason}\n", path.display());
    }
    text += &wrote;
    print(&text);
    Ok(())
}
