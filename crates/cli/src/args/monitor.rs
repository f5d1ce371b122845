//! Arguments of the verbs around one machine.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey learn RECORDINGS -o pump.offkey")]
pub(crate) struct LearnArgs {
    /// Folders or manifests of normal recordings; subfolders are machines or conditions
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// The model file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// What the machine is called [default: the model file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How often it may cry wolf, as in "1 per week" [default: as rarely as the recordings support]
    #[arg(long, value_name = "RATE")]
    pub(crate) false_alarms: Option<String>,
    /// Time between the starts of windows, as in 10s
    #[arg(long, default_value = "10s", value_parser = seconds)]
    pub(crate) every: f64,
    /// A built-in recipe's name, or a TOML file
    #[arg(long, default_value = "small")]
    pub(crate) recipe: String,
    /// Change one value of the recipe
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Replace an existing model file
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey check TODAY --model pump.offkey")]
pub(crate) struct CheckArgs {
    /// Recordings, or folders of them
    #[arg(required = true)]
    pub(crate) clips: Vec<PathBuf>,
    /// The model file
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Print as JSON
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print as CSV
    #[arg(long)]
    pub(crate) csv: bool,
    /// Print every window of each recording as well, as JSON
    #[arg(long, requires = "json")]
    pub(crate) windows: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey watch INBOX --model pump.offkey --log events.jsonl")]
pub(crate) struct WatchArgs {
    /// A folder, a growing file, `-` for standard input, `microphone` or `microphone:NAME`
    pub(crate) source: String,
    /// The model file
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// File that events are appended to, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// File that remembers where the source stands, over restarts [default: the log's name and `.state`]
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Folder in which the sound around events is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Most megabytes of sound kept
    #[arg(long, value_name = "MB", default_value_t = 500)]
    pub(crate) keep_mb: u64,
    /// Seconds kept from before an event
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    pub(crate) pre_roll_s: f64,
    /// Alarms that make an event, as in `3/5`: three of five windows
    #[arg(long, default_value = "3/5", value_parser = k_of_n)]
    pub(crate) alarms: (usize, usize),
    /// Windows without alarm that end an event
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(crate) calm: usize,
    /// Rate of raw samples, in hertz
    #[arg(long, default_value_t = 16_000, value_name = "HZ")]
    pub(crate) raw_rate_hz: u32,
    /// Channels of raw samples
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) raw_channels: u16,
    /// Stop when there is nothing new, instead of waiting
    #[arg(long)]
    pub(crate) once: bool,
    /// Print every window as well, not events alone
    #[arg(long)]
    pub(crate) windows: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey info pump.offkey")]
pub(crate) struct InfoArgs {
    /// The model file
    pub(crate) model: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey selftest --model pump.offkey")]
pub(crate) struct SelftestArgs {
    /// The model file
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Normal recordings to plant faults into [default: those the model keeps]
    #[arg(long, value_name = "DIR|CLIP")]
    pub(crate) data: Vec<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  offkey update --model pump.offkey --normal CLIP.wav")]
pub(crate) struct UpdateArgs {
    /// The model file
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Recordings that were normal
    #[arg(long, value_name = "CLIP", num_args = 1.., required_unless_present = "undo")]
    pub(crate) normal: Vec<PathBuf>,
    /// Take the last addition out again
    #[arg(long, conflicts_with = "normal")]
    pub(crate) undo: bool,
    /// Take in even what looks like a fault
    #[arg(long)]
    pub(crate) force: bool,
}

/// Parses a time in seconds, as `10s` or `0.5`.
fn seconds(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('s').trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(format!("expected a time in seconds as in 10s, found `{text}`")),
    }
}

/// Parses `k/n` with 1 <= k <= n.
fn k_of_n(text: &str) -> Result<(usize, usize), String> {
    match text.split_once('/').map(|(k, n)| (k.parse(), n.parse())) {
        Some((Ok(k), Ok(n))) if 1 <= k && k <= n => Ok((k, n)),
        _ => Err(format!("expected k/n as in 3/5, found `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_shares_are_read_as_people_write_them() {
        assert_eq!(seconds("10s"), Ok(10.0));
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert!(seconds("-1s").is_err() && seconds("soon").is_err());
        assert_eq!(k_of_n("3/5"), Ok((3, 5)));
        assert!(k_of_n("5/3").is_err() && k_of_n("0/3").is_err() && k_of_n("3").is_err());
    }
}
