//! `offkey info`: what a monitor knows and promises.

use std::path::PathBuf;

use clap::Args;
use offkey_core::{counted, printable};
use offkey_monitor::{
    EventEvidence, MonitorCard, Promise, Role,
    watch::{counted_by, hours_of_faults},
};
use serde::Serialize;

use super::shared::describe_monitor;
use crate::{
    error::CliError,
    output::{print, print_json},
};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey info pump.offkey")]
pub(crate) struct InfoArgs {
    /// The model file
    pub(crate) model: PathBuf,
    /// The state file of a watch with this model: what it heard counts for events per week
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// The event log of that watch, where some of its events were real faults
    #[arg(long, value_name = "FILE", requires_all = ["state", "fault"])]
    pub(crate) log: Option<PathBuf>,
    /// An event that was a real fault, by its `id` in the log: it and its hours do not count for false events; give
    /// it again for more
    #[arg(long, value_name = "ID", requires = "log")]
    pub(crate) fault: Vec<String>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Info<'a> {
    usable: bool,
    promise: &'a Promise,
    next_step: Option<String>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watched: Option<EventEvidence>,
    #[serde(flatten)]
    card: &'a MonitorCard,
}

pub(crate) fn info(args: &InfoArgs) -> Result<(), CliError> {
    let monitor = describe_monitor(&args.model)?;
    let (card, promise) = (monitor.card(), monitor.promise());
    let watched = match &args.state {
        Some(state) => {
            let counted = counted_by(&monitor, state)?.unwrap_or_default();
            Some(match &args.log {
                Some(log) => {
                    let (faults, hours) = hours_of_faults(log, &args.fault)?;
                    counted.without_faults(faults, hours)
                }
                None => counted,
            })
        }
        None => None,
    };
    if args.json {
        let (usable, next_step) = (promise.is_usable(), promise.next_step());
        let warnings = monitor.warnings();
        print_json(&Info { usable, promise: &promise, next_step, warnings, watched, card });
        return Ok(());
    }
    let rates: Vec<String> = card.rates_hz.iter().map(|rate| format!("{rate} Hz")).collect();
    let channel = card.windows.channel.to_string();
    let calibrating = card.recordings.iter().filter(|r| r.role == Role::Calibration).count();
    let mut text = format!(
        "{}, learned by offkey {} with recipe `{}`, seed {}\npromise: {promise}\ndetector: {}\n",
        printable(&card.name),
        printable(&card.version),
        printable(&card.recipe),
        card.seed,
        printable(&card.explanation)
    );
    text += &format!(
        "windows: {:.1} s long, one every {} s, at {} Hz; recordings of {}; {channel}\nreferences: {} of {}, \
         {calibrating} of which calibrate\n",
        card.windows.seconds(card.windows.samples as u64),
        card.every_s(),
        card.windows.rate_hz,
        rates.join(" or "),
        counted(card.window_count(), "window"),
        counted(card.recordings.len(), "recording"),
    );
    if let Some(watched) = &watched {
        let together = watched.and(promise.events);
        text += &format!(
            "watched, if all of it was normal: {watched}\ntogether with the recordings learned from: {together}\n"
        );
    }
    for warning in monitor.warnings() {
        text += &format!("warning: {warning}\n");
    }
    for entry in &card.journal {
        let whole = if entry.whole_period { ", a whole period" } else { ", as references" };
        let forced = match entry.forced.len() {
            0 => String::new(),
            forced => format!(", {forced} of them not judged normal"),
        };
        text += &format!(
            "added {}: {} of {}{whole}{forced}\n",
            entry.entry,
            counted(entry.windows, "window"),
            entry.recordings.join(", ")
        );
    }
    print(&text);
    Ok(())
}
