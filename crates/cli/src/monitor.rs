//! The verbs around one machine: learn, check, watch, info, selftest, update.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    time::Duration,
};

use offkey::{
    ChannelRule, Compute, OffkeyError, Progress, Recipe, Stage,
    learn::LearnRequest,
    monitor::{
        ClipVerdict, EventRule, FalseAlarmRate, Monitor, MonitorError, Verdict, WindowRow,
        WindowVerdict,
        watch::{
            self, Event, KeepRule, PcmFormat, SampleKind, WatchObserver, WatchRequest, WatchSource,
        },
    },
};
use serde::Serialize;

use crate::{
    args::monitor::{CheckArgs, InfoArgs, LearnArgs, SelftestArgs, UpdateArgs, WatchArgs},
    output::{print, print_json},
    progress::{Bars, CANCELLED},
    table,
};

/// At least one clip is an alarm.
const EXIT_ALARM: u8 = 3;
/// The source that is a microphone.
const MICROPHONE: &str = "microphone";

/// The monitor of a model file; of a run, the error that says so.
fn load(path: &Path) -> Result<Monitor, OffkeyError> {
    offkey::expect_monitor(path)?;
    Ok(Monitor::load(path, Compute::default())?)
}

pub(crate) fn learn(args: &LearnArgs, bars: &Bars) -> Result<(), OffkeyError> {
    if !args.force && args.output.exists() {
        return Err(OffkeyError::ModelExists { path: args.output.clone() });
    }
    offkey::monitor::make_room_for(&args.output)?;
    let stem = args.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let false_alarms = args.false_alarms.as_deref().map(str::parse::<FalseAlarmRate>);
    let false_alarms = false_alarms.transpose().map_err(MonitorError::Rate)?;
    let request = LearnRequest {
        data: args.data.clone(),
        name: args.name.clone().or(stem).unwrap_or_else(|| "machine".to_owned()),
        false_alarms,
        every_s: args.every,
        recipe: Recipe::load(&args.recipe, &args.set)?,
        seed: args.seed,
        compute: Compute::default(),
    };
    let (monitor, report) = offkey::learn::learn(&request, bars)?;
    monitor.save(&args.output)?;
    let others = if report.held_out_whole {
        format!("{} windows of {} others", report.calibration.0, report.calibration.1)
    } else {
        format!("the last {} windows of the same, for want of others", report.calibration.0)
    };
    let mut text = format!(
        "learned from {} windows of {} recordings, calibrated on {others}\n",
        report.training.0, report.training.1
    );
    text += &format!("classes: {}\npromise: {}\n", report.task, monitor.card().promise);
    for (path, reason) in &report.left_out {
        text += &format!("left out: {}: {reason}\n", path.display());
    }
    for (path, times) in &report.odd {
        text += &format!(
            "listen to {}: it lies {times:.1} times as far from the other normal recordings as is usual\n",
            path.display()
        );
    }
    text += &format!("wrote {}\n", args.output.display());
    print(&text);
    Ok(())
}

#[derive(Serialize)]
struct Clips {
    clips: Vec<Clip>,
}

#[derive(Serialize)]
struct Clip {
    #[serde(flatten)]
    verdict: ClipVerdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Vec<Window>>,
}

/// One window's verdict, as both `check` and `watch` print it.
#[derive(Serialize)]
struct Window {
    start_s: f64,
    score: Option<f64>,
    p_value: Option<f64>,
    verdict: Verdict,
    reason: String,
}

impl Window {
    fn new(start_s: f64, window: &WindowVerdict) -> Self {
        let WindowVerdict { score, p_value, verdict, reason, .. } = window.clone();
        Self { start_s, score, p_value, verdict, reason }
    }
}

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, OffkeyError> {
    let monitor = load(&args.model)?;
    // A name that is mistyped must not look like a clip without alarm.
    if let Some(path) = args.clips.iter().find(|path| !path.exists()) {
        let (path, source) = (path.clone(), io::ErrorKind::NotFound.into());
        return Err(OffkeyError::Io { path, source });
    }
    let rule = monitor.card().windows;
    let mut clips = Vec::new();
    for path in offkey::recordings(&args.clips)? {
        let mut windows = Vec::new();
        let verdict = monitor.check(&path, &mut |window| {
            if args.windows {
                windows.push(Window::new(rule.seconds(window.start), window));
            }
        })?;
        clips.push(Clip { verdict, windows: args.windows.then_some(windows) });
        if CANCELLED.load(Ordering::Relaxed) {
            break;
        }
    }
    let alarm = clips.iter().any(|clip| clip.verdict.verdict == Verdict::Alarm);
    if args.json {
        print_json(&Clips { clips });
    } else if args.csv {
        let verdicts: Vec<ClipVerdict> = clips.into_iter().map(|clip| clip.verdict).collect();
        print(&offkey::to_csv(&verdicts));
    } else {
        for Clip { verdict: clip, .. } in &clips {
            let p_value = clip.p_value.map(|p| format!(" (p = {p:.4})")).unwrap_or_default();
            print(&format!(
                "{}: {}{p_value}: {}\n",
                clip.path.display(),
                clip.verdict,
                clip.reason
            ));
        }
    }
    Ok(if alarm { ExitCode::from(EXIT_ALARM) } else { ExitCode::SUCCESS })
}

pub(crate) fn watch(args: &WatchArgs, quiet: bool) -> Result<ExitCode, OffkeyError> {
    let monitor = load(&args.model)?;
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
        rule: EventRule { alarms: args.alarms.0, windows: args.alarms.1, calm_windows: args.calm },
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
        eprintln!("{line_end}warning: {message}");
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

pub(crate) fn info(args: &InfoArgs) -> Result<(), OffkeyError> {
    let monitor = load(&args.model)?;
    let card = monitor.card();
    if args.json {
        print_json(card);
        return Ok(());
    }
    let recordings =
        |rows: &[WindowRow]| rows.iter().map(|row| &row.window.path).collect::<BTreeSet<_>>().len();
    let rates: Vec<String> = card.rates_hz.iter().map(|rate| format!("{rate} Hz")).collect();
    let channel = match card.windows.channel {
        ChannelRule::Mix => "the mean of all channels".to_owned(),
        ChannelRule::Pick(channel) => format!("channel {channel} (counted from 0)"),
    };
    let mut text = format!(
        "{}, learned by offkey {} with recipe `{}`, seed {}\nhears: windows of {:.1} s, one every {} s, at {} Hz; recordings of {}; {channel}\n",
        card.name,
        card.version,
        card.recipe_name(),
        card.seed,
        card.windows.seconds(card.windows.samples as u64),
        card.promise.every_s,
        card.windows.rate_hz,
        rates.join(" or "),
    );
    text += &format!(
        "references: {} windows of {} recordings\ncalibration: {} windows\nclasses: {}\npromise: {}\n",
        card.references.len(),
        recordings(&card.references),
        monitor.calibration_windows(),
        card.task,
        card.promise
    );
    for entry in &card.journal {
        let forced = if entry.forced { ", forced" } else { "" };
        text += &format!(
            "added {}: {} windows of {}{forced}\n",
            entry.entry,
            entry.windows,
            entry.recordings.join(", ")
        );
    }
    print(&text);
    Ok(())
}

pub(crate) fn selftest(args: &SelftestArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let monitor = load(&args.model)?;
    let recordings =
        if args.data.is_empty() { Vec::new() } else { offkey::recordings(&args.data)? };
    let test = offkey::learn::self_test(&monitor, &recordings, bars)?;
    if args.json {
        print_json(&test);
        return Ok(());
    }
    let mut header = vec!["fault".to_owned()];
    header.extend(test.levels_db.iter().map(|level| format!("{level} dB")));
    header.push("found from".to_owned());
    let rows: Vec<Vec<String>> = test
        .faults
        .iter()
        .map(|curve| {
            let mut row = vec![curve.fault.clone()];
            let shares = curve.detected.iter().zip(&curve.cannot_tell);
            row.extend(shares.map(|(&alarm, &untold)| noticed(alarm, untold)));
            row.push(curve.found_from_db.map_or_else(|| "-".to_owned(), |db| format!("{db} dB")));
            row
        })
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let false_alarms = test.false_alarms.map_or_else(String::new, |share| {
        format!("without any fault {:.1} % of them alarm\n", 100.0 * share)
    });
    print(&format!(
        "{}\npercent of {} normal windows that alarm with a fault so loud, relative to the window; +n?: n more of which \
         `check` says cannot_tell\n{false_alarms}alarms are as rare as promised: {}\n",
        table::render(&header, &rows),
        test.windows,
        monitor.card().promise
    ));
    Ok(())
}

/// Percent of windows that alarm, and of those of which nothing can be told.
fn noticed(alarm: f64, untold: f64) -> String {
    let unsure = if untold > 0.0 { format!("+{:.0}?", 100.0 * untold) } else { String::new() };
    format!("{:.0}{unsure}", 100.0 * alarm)
}

pub(crate) fn update(args: &UpdateArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let monitor = load(&args.model)?;
    let monitor = if args.undo {
        let (monitor, undone) = monitor.undo()?;
        match undone {
            Some(entry) => {
                print(&format!(
                    "took out {} windows of {}\n",
                    entry.windows,
                    entry.recordings.join(", ")
                ));
            }
            None => print("nothing to undo\n"),
        }
        monitor
    } else {
        let step = offkey::steps(bars, Stage::Embed, "windows");
        let monitor = monitor.update(&offkey::recordings(&args.normal)?, args.force, &step)?;
        bars.end();
        if let Some(entry) = monitor.card().journal.last() {
            print(&format!(
                "took in {} windows of {} recordings\n",
                entry.windows,
                entry.recordings.len()
            ));
        }
        monitor
    };
    monitor.save(&args.model)?;
    print(&format!("promise: {}\n", monitor.card().promise));
    Ok(())
}
