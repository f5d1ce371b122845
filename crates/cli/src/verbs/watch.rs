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
use offkey_core::{counted, recordings_and_left_out};
use offkey_monitor::{
    EventRule, Monitor, Verdict, WindowVerdict,
    watch::{
        self, ByteStream, Clock, Event, Folder, GrowingFile, KeepRule, Observer, PcmFormat,
        SampleKind, Settings, Source, SystemClock, WatchReport, utc,
    },
};
use serde::Serialize;

use super::{
    check::Window,
    shared::{EXIT_ALARM, EXIT_UNJUDGED, load_monitor, seconds},
};
use crate::{error::CliError, progress::CANCELLED};

/// The source that is a microphone.
const MICROPHONE: &str = "microphone";
/// How often a folder is looked at.
const POLL: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  offkey watch INBOX --model pump.offkey --log events.jsonl\n\nExit codes: 3 at least one window was an alarm, with or \
                        without an event; 4 none, but something could not be judged or read, there was no recording, or the source ended; 0 neither; 1 \
                        failed; 2 wrong usage."
)]
pub(crate) struct WatchArgs {
    /// A folder with its subfolders, a growing file, `-` for standard input, `microphone` or `microphone:NAME`
    pub(crate) source: String,
    /// The model file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// File that events are appended to, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// File that remembers where the source stands, over restarts [default: the log's name and `.state`]
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Folder in which the sound of events is kept, from before the first alarm to the end
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Most megabytes of sound kept; the oldest go first
    #[arg(long, value_name = "MB", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..1_000_000))]
    pub(crate) keep_mb: u64,
    /// Seconds kept from before an event's first alarm, an hour at most
    #[arg(long, value_name = "S", default_value = "20", value_parser = pre_roll)]
    pub(crate) pre_roll_s: f64,
    /// What makes an event: `3/5`, three alarms in five windows; or `cusum`, a sum of scores, which finds
    /// small changes that last
    #[arg(long, default_value = "3/5", value_name = "RULE")]
    pub(crate) alarms: EventRule,
    /// Windows without alarm that end an event [default: as many as the rule looks at]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calm: Option<u32>,
    /// How long nothing may come from a file, a pipe or a microphone before that is an event
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = seconds)]
    pub(crate) stall: f64,
    /// Rate of raw samples, in hertz
    #[arg(long, default_value_t = 16_000, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) raw_rate_hz: u32,
    /// Channels of raw samples
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) raw_channels: u16,
    /// Stop when there is nothing new, instead of waiting
    #[arg(long)]
    pub(crate) once: bool,
    /// Print every window as well, not events alone
    #[arg(long)]
    pub(crate) windows: bool,
}

/// Longest time kept from before an event, in seconds.
const LONGEST_PRE_ROLL_S: f64 = 3600.0;

fn pre_roll(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('s').trim().parse::<f64>() {
        Ok(value) if (0.0..=LONGEST_PRE_ROLL_S).contains(&value) => Ok(value),
        _ => Err(format!("expected seconds from 0 to {LONGEST_PRE_ROLL_S}, found `{text}`")),
    }
}

impl WatchArgs {
    /// The alarm rule, with the calm that ends an event.
    fn rule(&self) -> EventRule {
        match (self.alarms, self.calm) {
            (EventRule::Count { alarms, windows, .. }, Some(calm)) => {
                EventRule::Count { alarms, windows, calm_windows: calm as usize }
            }
            (rule, _) => rule,
        }
    }

    fn settings(&self, waits: bool) -> Settings {
        let beside_log = || {
            let mut name = self.log.as_ref()?.as_os_str().to_owned();
            name.push(".state");
            Some(PathBuf::from(name))
        };
        Settings {
            name: self.source.clone(),
            rule: self.rule(),
            log: self.log.clone(),
            state: self.state.clone().or_else(beside_log),
            keep: self.keep.clone().map(|folder| KeepRule {
                folder,
                pre_roll_s: self.pre_roll_s,
                most_bytes: self.keep_mb << 20,
            }),
            stall: waits.then(|| Duration::from_secs_f64(self.stall)),
        }
    }

    /// The source, and whether it is one from which something should come all the time.
    fn open(
        &self,
        monitor: &Monitor,
        clock: &dyn Clock,
    ) -> Result<(Box<dyn Source>, bool), CliError> {
        let raw = PcmFormat {
            rate_hz: self.raw_rate_hz,
            channels: self.raw_channels,
            sample: SampleKind::I16,
        };
        let (name, path, listening) =
            (self.source.as_str(), Path::new(&self.source), monitor.listening());
        let stream = |bytes, raw| {
            let begun_ms = clock.now().unix_ms.unsigned_abs();
            let stream = ByteStream::new(bytes, name, begun_ms, raw, listening.clone());
            Box::new(stream.ending(self.once)) as Box<dyn Source>
        };
        if name == "-" {
            return Ok((stream(Box::new(io::stdin()), raw), !self.once));
        }
        if path.is_dir() {
            if let Some(keep) = &self.keep {
                watch::keep_elsewhere(path, keep)?;
            }
            let (path, keep) = (path.to_owned(), self.keep.clone());
            return Ok((Box::new(Folder::new(path, keep, listening, POLL, self.once)), false));
        }
        let microphone = name.strip_prefix(MICROPHONE).filter(|_| !path.exists());
        match microphone.map(|rest| (rest, rest.strip_prefix(':'))) {
            Some(("", _)) => {
                let (bytes, raw) = watch::open_microphone(None, &listening.rates_hz)?;
                return Ok((stream(bytes, raw), true));
            }
            Some((_, Some(device))) => {
                let (bytes, raw) = watch::open_microphone(Some(device), &listening.rates_hz)?;
                return Ok((stream(bytes, raw), true));
            }
            Some((_, None)) | None => {}
        }
        // A name that is mistyped must not be waited for in silence.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Only a file may come later: a folder is not known for one before it is there.
        let must_be_there = self.once || name.ends_with(std::path::is_separator);
        if must_be_there && !path.exists() || folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(CliError::NoSource { name: name.to_owned() });
        }
        if !self.once {
            watch::can_grow(path)?;
        }
        let file = GrowingFile::new(path.to_owned(), name.to_owned(), raw, listening, self.once);
        Ok((Box::new(file), !self.once))
    }
}

#[expect(clippy::print_stderr, reason = "standard output is for events")]
pub(crate) fn watch(args: &WatchArgs, quiet: bool) -> Result<ExitCode, CliError> {
    let monitor = load_monitor(&args.model)?;
    let clock = SystemClock::default();
    let (mut source, waits) = args.open(&monitor, &clock)?;
    if !quiet && args.source != "-" && !Path::new(&args.source).exists() && waits {
        eprintln!("waiting for `{}`: there is no such file yet", args.source);
    }
    let mut teller = Teller {
        status: io::stderr().is_terminal() && !quiet,
        every_window: args.windows,
        report: (0, 0),
        unsaid: VecDeque::new(),
    };
    let settings = args.settings(waits);
    let report = watch::watch(&monitor, source.as_mut(), &settings, &clock, &mut teller)?;
    if !quiet {
        teller.conclude(&report, settings.state.is_some(), settings.rule);
    }
    // The folder may hold recordings that an earlier watch heard; one without any is not what was meant.
    let nothing =
        args.once && report.windows + report.unread == 0 && Path::new(&args.source).is_dir();
    let missing =
        nothing.then(|| recordings_and_left_out(&[PathBuf::from(&args.source)]).err()).flatten();
    if let Some(missing) = &missing {
        tracing::warn!("{missing}");
    }
    Ok(if report.alarms > 0 || report.events > 0 {
        ExitCode::from(EXIT_ALARM)
    } else if report.unjudged + report.unread > 0 || report.lost || missing.is_some() {
        ExitCode::from(EXIT_UNJUDGED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Lines held back while standard output takes none; the oldest go first.
const MOST_UNSAID: usize = 1000;

/// Events as JSON lines on standard output, one status line for people on standard error.
struct Teller {
    status: bool,
    every_window: bool,
    /// Windows and alarms by now.
    report: (u64, u64),
    unsaid: VecDeque<String>,
}

impl Teller {
    /// What came of it, for people.
    #[expect(clippy::print_stderr, reason = "standard output is for events")]
    fn conclude(&self, report: &WatchReport, remembered: bool, rule: EventRule) {
        let WatchReport { windows, alarms, unjudged, unread, events, open, evidence, .. } = report;
        let line_end = if self.status { "\n" } else { "" };
        let still = match (open, remembered) {
            (false, _) => "",
            (true, true) => "; the last event is still open, and the next watch goes on with it",
            (true, false) => "; the last event is still open, and has no end in the output",
        };
        let still = match (alarms, events, open, rule) {
            (1.., 0, false, EventRule::Count { alarms: needed, windows, .. }) => {
                &format!("; no event: it takes {needed} alarms in {windows} windows, see --alarms")
            }
            _ => still,
        };
        let all = if remembered { " of all watches with this state" } else { "" };
        eprintln!(
            "{line_end}windows heard: {windows} (alarms: {alarms}, cannot tell: {unjudged}); recordings left out: {unread}; events begun: \
             {events}{still}\nif all sound{all} was normal: {evidence}"
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
impl Observer for Teller {
    fn window(&mut self, source: &str, at_s: f64, unix_s: f64, verdict: &WindowVerdict) {
        self.report.0 += 1;
        self.report.1 += u64::from(verdict.verdict == Verdict::Alarm);
        if self.every_window {
            let (window, utc) = (Window::new(at_s, verdict), utc(unix_s));
            self.say(&HeardWindow { source, unix_s, utc, window });
        }
        if self.status {
            let p_value = verdict.p_value.map(|p| format!("p = {p:.4}")).unwrap_or_default();
            let (windows, alarms) = self.report;
            eprint!(
                "\r{}  {at_s:>9.1} s  {:<12} {p_value:<12} {}, {}  ",
                utc(unix_s),
                verdict.verdict,
                counted(windows, "window"),
                counted(alarms, "alarm")
            );
        }
    }

    fn event(&mut self, event: &Event) {
        self.say(event);
    }

    fn trouble(&mut self, message: &str) {
        let line_end = if self.status && self.report.0 > 0 { "\n" } else { "" };
        eprintln!("{line_end}warning: {}", crate::output::message(message));
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }
}

#[derive(Serialize)]
struct HeardWindow<'a> {
    source: &'a str,
    unix_s: f64,
    utc: String,
    window: Window,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_times_are_refused() {
        assert_eq!(pre_roll("20"), Ok(20.0));
        assert_eq!(pre_roll("0"), Ok(0.0));
        for text in ["-1", "nan", "inf", "1e6", "soon"] {
            assert!(pre_roll(text).is_err(), "{text}");
        }
    }
}
