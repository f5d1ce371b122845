//! `offkey watch`: a source listened to for days.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    time::Duration,
};

use clap::Args;
use offkey::{
    Compute,
    monitor::{
        EventRule, Monitor, Verdict, WindowVerdict,
        watch::{
            self, Event, KeepRule, PcmFormat, SampleKind, WatchObserver, WatchRequest, WatchSource,
        },
    },
};
use serde::Serialize;

use super::{check::Window, shared::EXIT_ALARM};
use crate::{error::CliError, progress::CANCELLED};

/// The source that is a microphone.
const MICROPHONE: &str = "microphone";

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
    /// What makes an event: `3/5`, three alarms in five windows; or `cusum`, a sum of scores, which finds
    /// small changes that last
    #[arg(long, default_value = "3/5", value_name = "RULE")]
    pub(crate) alarms: EventRule,
    /// Windows without alarm that end an event [default: as many as the rule looks at]
    #[arg(long, value_name = "N")]
    pub(crate) calm: Option<usize>,
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

impl WatchArgs {
    /// The alarm rule, with the calm that ends an event.
    fn rule(&self) -> EventRule {
        match (self.alarms, self.calm) {
            (EventRule::Count { alarms, windows, .. }, Some(calm_windows)) => {
                EventRule::Count { alarms, windows, calm_windows }
            }
            (rule, _) => rule,
        }
    }
}

pub(crate) fn watch(args: &WatchArgs, quiet: bool) -> Result<ExitCode, CliError> {
    let monitor = Monitor::load(&args.model, Compute::default())?;
    let raw = PcmFormat {
        rate_hz: args.raw_rate_hz,
        channels: args.raw_channels,
        sample: SampleKind::I16,
    };
    let (source, raw) = match args.source.as_str() {
        "-" => (WatchSource::Stream(Box::new(io::stdin())), raw),
        path if Path::new(path).is_dir() => (WatchSource::Folder(PathBuf::from(path)), raw),
        path if Path::new(path).exists() => (WatchSource::File(PathBuf::from(path)), raw),
        name if name == MICROPHONE => watch::open_microphone(None, &monitor.card().rates_hz)?,
        path => match path.strip_prefix(MICROPHONE).and_then(|rest| rest.strip_prefix(':')) {
            Some(name) => watch::open_microphone(Some(name), &monitor.card().rates_hz)?,
            None => (WatchSource::File(PathBuf::from(path)), raw),
        },
    };
    let beside_log = || Some(PathBuf::from(format!("{}.state", args.log.as_ref()?.display())));
    let request = WatchRequest {
        source,
        name: args.source.clone(),
        raw,
        rule: args.rule(),
        log: args.log.clone(),
        state: args.state.clone().or_else(beside_log),
        keep: args.keep.clone().map(|folder| KeepRule {
            folder,
            pre_roll_s: args.pre_roll_s,
            most_bytes: args.keep_mb << 20,
        }),
        poll: Duration::from_millis(500),
        once: args.once,
    };
    let mut teller = Teller {
        status: io::stderr().is_terminal() && !quiet,
        every_window: args.windows,
        windows: 0,
        alarms: 0,
        untold: 0,
        unsaid: VecDeque::new(),
    };
    let events = watch::watch(&monitor, request, &mut teller)?;
    if !quiet {
        teller.conclude(events);
    }
    Ok(if events > 0 { ExitCode::from(EXIT_ALARM) } else { ExitCode::SUCCESS })
}

/// Lines held back while standard output takes none; the oldest go first.
const MOST_UNSAID: usize = 1000;

/// Events as JSON lines on standard output, one status line for people on standard error.
struct Teller {
    status: bool,
    every_window: bool,
    windows: u64,
    alarms: u64,
    untold: u64,
    unsaid: VecDeque<String>,
}

impl Teller {
    /// What came of it, for people.
    #[expect(clippy::print_stderr, reason = "standard output is for events")]
    fn conclude(&self, events: usize) {
        let Self { windows, alarms, untold, .. } = self;
        let line_end = if self.status { "\n" } else { "" };
        eprintln!(
            "{line_end}windows heard: {windows} (alarms: {alarms}, cannot tell: {untold}); events begun: {events}"
        );
    }

    /// A closed pipe or a full disk does not end the watch: the log goes on, and lines are held back.
    fn say<T: Serialize>(&mut self, line: &T) {
        let text = serde_json::to_string(line).expect("lines have string keys and finite numbers");
        self.unsaid.push_back(text + "\n");
        if self.unsaid.len() > MOST_UNSAID {
            self.unsaid.pop_front();
        }
        let mut output = io::stdout().lock();
        while let Some(line) = self.unsaid.front() {
            if output.write_all(line.as_bytes()).and_then(|()| output.flush()).is_err() {
                break;
            }
            self.unsaid.pop_front();
        }
    }
}

#[expect(clippy::print_stderr, reason = "the status line is for people")]
impl WatchObserver for Teller {
    fn window(&mut self, source: &str, at_s: f64, verdict: &WindowVerdict) {
        self.windows += 1;
        self.alarms += u64::from(verdict.verdict == Verdict::Alarm);
        self.untold += u64::from(verdict.verdict == Verdict::CannotTell);
        if self.every_window {
            self.say(&HeardWindow { source, window: Window::new(at_s, verdict) });
        }
        if self.status {
            let p_value = verdict.p_value.map(|p| format!("p = {p:.4}")).unwrap_or_default();
            let Self { windows, alarms, .. } = self;
            eprint!(
                "\r{at_s:>9.1} s  {:<12} {p_value:<12} {windows} windows, {alarms} alarms  ",
                verdict.verdict
            );
        }
    }

    fn event(&mut self, event: &Event) {
        self.say(event);
    }

    fn trouble(&mut self, message: &str) {
        let line_end = if self.status && self.windows > 0 { "\n" } else { "" };
        eprintln!("{line_end}warning: {}", crate::output::message(message));
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }
}

#[derive(Serialize)]
struct HeardWindow<'a> {
    source: &'a str,
    window: Window,
}
