//! `offkey info`: what a monitor knows and promises.

use std::path::PathBuf;

use clap::Args;
use offkey::{
    ChannelRule,
    monitor::{MonitorCard, Promise, Role},
};
use serde::Serialize;

use super::shared::load_monitor;
use crate::{
    error::CliError,
    output::{print, print_json},
};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey info pump.offkey")]
pub(crate) struct InfoArgs {
    /// The model file
    pub(crate) model: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Info<'a> {
    usable: bool,
    promise: &'a Promise,
    next_step: Option<String>,
    #[serde(flatten)]
    card: &'a MonitorCard,
}

pub(crate) fn info(args: &InfoArgs) -> Result<(), CliError> {
    let monitor = load_monitor(&args.model)?;
    let (card, promise) = (monitor.card(), monitor.promise());
    if args.json {
        let (usable, next_step) = (promise.is_usable(), promise.next_step());
        print_json(&Info { usable, promise: &promise, next_step, card });
        return Ok(());
    }
    let rates: Vec<String> = card.rates_hz.iter().map(|rate| format!("{rate} Hz")).collect();
    let channel = match card.windows.channel {
        ChannelRule::Mix => "the mean of all channels".to_owned(),
        ChannelRule::Pick(channel) => format!("channel {channel} (counted from 0)"),
    };
    let calibrating = card.recordings.iter().filter(|r| r.role == Role::Calibration).count();
    let mut text = format!(
        "{}, learned by offkey {} with recipe `{}`, seed {}\npromise: {promise}\ndetector: {}\n",
        card.name, card.version, card.recipe, card.seed, card.explanation
    );
    text += &format!(
        "windows: {:.1} s long, one every {} s, at {} Hz; recordings of {}; {channel}\nreferences: {} windows of {} recordings, \
         {calibrating} of which calibrate\n",
        card.windows.seconds(card.windows.samples as u64),
        card.every_s(),
        card.windows.rate_hz,
        rates.join(" or "),
        card.window_count(),
        card.recordings.len(),
    );
    for entry in &card.journal {
        let whole = if entry.whole_period { ", a whole period" } else { ", as references" };
        let forced = match entry.forced.len() {
            0 => String::new(),
            forced => format!(", {forced} of them not judged normal"),
        };
        text += &format!(
            "added {}: {} windows of {}{whole}{forced}\n",
            entry.entry,
            entry.windows,
            entry.recordings.join(", ")
        );
    }
    print(&text);
    Ok(())
}
