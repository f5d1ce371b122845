//! `offkey update`: recordings that were normal after all, taken into a monitor.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use offkey_core::{Progress, Stage, counted, printable, progress::steps, recordings_and_left_out};
use offkey_monitor::{Addition, MonitorError, lock_model};

use super::shared::load_monitor;
use crate::{error::CliError, output::print, progress::Bars};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  offkey update --model pump.offkey --normal CLIP.wav\n\nExit codes: 0 everything was taken in or known already; 1 something was refused, or failed; 2 wrong usage."
)]
pub(crate) struct UpdateArgs {
    /// The model file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Recordings that were normal: references from now on, if `check` calls them normal
    #[arg(long, value_name = "CLIP", num_args = 1..)]
    pub(crate) normal: Vec<PathBuf>,
    /// All recordings of a period that was chosen before any was judged: they calibrate as well, so that
    /// the promise gets stricter
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "normal")]
    pub(crate) all_of: Vec<PathBuf>,
    /// Take the last addition out again
    #[arg(long, conflicts_with_all = ["normal", "all_of"])]
    pub(crate) undo: bool,
    /// Take in even what `check` does not call normal: such sound may no longer alarm
    #[arg(long, conflicts_with = "all_of")]
    pub(crate) force: bool,
}

pub(crate) fn update(args: &UpdateArgs, bars: &Bars) -> Result<ExitCode, CliError> {
    if args.normal.is_empty() && args.all_of.is_empty() && !args.undo {
        return Err(CliError::NoAddition);
    }
    let _lock = lock_model(&args.model)?;
    let monitor = load_monitor(&args.model)?;
    if args.undo {
        let (monitor, undone) = monitor.undo()?;
        monitor.save(&args.model)?;
        if let Some(entry) = undone {
            print(&format!(
                "took out {} of {}\npromise: {}\n",
                counted(entry.windows, "window"),
                entry.recordings.join(", "),
                monitor.promise()
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (named, addition) = match (args.all_of.is_empty(), args.force) {
        (false, _) => (&args.all_of, Addition::WholePeriod),
        (true, true) => (&args.normal, Addition::Forced),
        (true, false) => (&args.normal, Addition::Normal),
    };
    let step = steps(bars, Stage::Embed, "recordings");
    let (recordings, left_out) = recordings_and_left_out(named)?;
    let (monitor, mut report) = monitor.update(&recordings, addition, &step)?;
    for left in left_out {
        if left.may_hold_sound() {
            report.refused.push((left.path, left.reason.to_string()));
        }
    }
    bars.end();
    if bars.cancelled() {
        return Err(MonitorError::Cancelled.into());
    }
    if !report.added.is_empty() {
        monitor.save(&args.model)?;
    }
    let mut text = format!(
        "took in {} of {}\n",
        counted(report.windows, "window"),
        counted(report.added.len(), "recording")
    );
    if !report.unlike.is_empty() {
        let still = report.still_alarm.len();
        text += &format!(
            "not judged normal: {} of {} taken in ({} of {}); judged again, {} still {}; `--undo` takes it out again\n",
            report.unlike.len(),
            counted(report.added.len(), "recording"),
            report.unlike_windows,
            counted(report.windows, "window"),
            counted(still, "recording"),
            if still == 1 { "alarms" } else { "alarm" }
        );
    }
    for path in &report.unlike {
        text += &format!("not judged normal: {}\n", shown(path));
    }
    for path in &report.known {
        text += &format!("known already: {}\n", shown(path));
    }
    for told in &report.shared {
        text += &format!("{}\n", printable(told));
    }
    for (path, damage) in &report.partial {
        text += &format!("heard in part: {}: {damage}\n", shown(path));
    }
    for (path, reason) in &report.refused {
        text += &format!("not taken in: {}: {reason}\n", shown(path));
    }
    text += &format!("promise: {}\n", monitor.promise());
    print(&text);
    if report.refused.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        let (refused, not_normal) = (report.refused.len(), report.not_normal);
        Err(CliError::Refused { refused, not_normal })
    }
}

/// A path on one line.
fn shown(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}
