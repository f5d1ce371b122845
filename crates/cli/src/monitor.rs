//! The verbs around one machine: learn, check, watch, info, selftest, update.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    time::Duration,
};

use offkey::{
    Compute, Existing, OffkeyError, Recipe,
    monitor::{
        ClipVerdict, EventRule, FalseAlarmRate, LearnRequest, Monitor, Verdict, WindowVerdict,
        watch::{
            self, Event, KeepRule, PcmFormat, SampleKind, WatchObserver, WatchRequest, WatchSource,
        },
    },
};
use serde::Serialize;

use crate::{
    args::{CheckArgs, InfoArgs, LearnArgs, SelftestArgs, UpdateArgs, WatchArgs},
    commands::{print, print_json},
    progress::{Bars, CANCELLED},
    table,
};

/// At least one clip is an alarm.
const EXIT_ALARM: u8 = 3;

pub(crate) fn learn(args: &LearnArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    if existing == Existing::Refuse && args.output.exists() {
        return Err(OffkeyError::RunExists { path: args.output.clone() });
    }
    let stem = args.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let false_alarms =
        args.false_alarms.as_deref().map(str::parse::<FalseAlarmRate>).transpose()?;
    let request = LearnRequest {
        data: args.data.clone(),
        name: args.name.clone().or(stem).unwrap_or_else(|| "machine".to_owned()),
        false_alarms,
        every_s: args.every,
        recipe: Recipe::load(&args.recipe, &args.set)?,
        seed: args.seed,
        compute: Compute::default(),
    };
    let (monitor, report) = offkey::monitor::learn(&request, bars)?;
    monitor.save(&args.output)?;
    let mut text = format!(
        "learned from {} windows of {} recordings, calibrated on {} windows of {} others\n",
        report.training.0, report.training.1, report.calibration.0, report.calibration.1
    );
    text += &format!("classes: {}\npromise: {}\n", report.task, monitor.card().promise);
    for (path, reason) in &report.left_out {
        text += &format!("left out: {}: {reason}\n", path.display());
    }
    for (path, odd) in &report.odd {
        text += &format!(
            "listen to {}: it sounds odd among the normal recordings ({odd:.0} deviations)\n",
            path.display()
        );
    }
    text += &format!("wrote {}\n", args.output.display());
    print(&text);
    Ok(())
}

#[derive(Serialize)]
struct Clips<'a> {
    clips: &'a [ClipVerdict],
}

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, OffkeyError> {
    let monitor = Monitor::load(&args.model, Compute::default())?;
    let mut clips = Vec::new();
    for path in offkey::recordings(&args.clips)? {
        clips.push(monitor.check(&path)?);
        if CANCELLED.load(Ordering::Relaxed) {
            break;
        }
    }
    if args.json {
        print_json(&Clips { clips: &clips });
    } else if args.csv {
        print(&offkey::to_csv(&clips));
    } else {
        for clip in &clips {
            let p_value = clip.p_value.map(|p| format!(" (p = {p:.4})")).unwrap_or_default();
            print(&format!(
                "{}: {}{p_value}: {}\n",
                clip.path.display(),
                clip.verdict,
                clip.reason
            ));
        }
    }
    let alarm = clips.iter().any(|clip| clip.verdict == Verdict::Alarm);
    Ok(if alarm { ExitCode::from(EXIT_ALARM) } else { ExitCode::SUCCESS })
}

pub(crate) fn watch(args: &WatchArgs) -> Result<(), OffkeyError> {
    let monitor = Monitor::load(&args.model, Compute::default())?;
    let source = match args.source.as_str() {
        "-" => WatchSource::Stream(Box::new(io::stdin())),
        path if Path::new(path).is_dir() => WatchSource::Folder(PathBuf::from(path)),
        path => WatchSource::File(PathBuf::from(path)),
    };
    let request = WatchRequest {
        source,
        name: args.source.clone(),
        raw: PcmFormat {
            rate_hz: args.raw_rate_hz,
            channels: args.raw_channels,
            sample: SampleKind::I16,
        },
        rule: EventRule { alarms: args.alarms.0, windows: args.alarms.1, calm_windows: args.calm },
        log: args.log.clone(),
        state: args.state.clone(),
        keep: args.keep.clone().map(|folder| KeepRule {
            folder,
            pre_roll_s: args.pre_roll_s,
            most_bytes: args.keep_mb << 20,
        }),
        poll: Duration::from_millis(500),
        once: args.once,
    };
    let mut line = StatusLine { shown: io::stderr().is_terminal(), windows: 0 };
    watch::watch(&monitor, request, &mut line)?;
    Ok(())
}

/// Events as JSON lines on standard output, one status line for people on standard error.
struct StatusLine {
    shown: bool,
    windows: u64,
}

#[expect(clippy::print_stderr, reason = "the status line is for people")]
impl WatchObserver for StatusLine {
    fn window(&mut self, at_s: f64, verdict: &WindowVerdict) {
        self.windows += 1;
        if self.shown {
            let score = verdict.score.map(|s| format!("{s:.3}")).unwrap_or_default();
            eprint!("\r{at_s:>9.1} s  {:<12} {score}  {} windows  ", verdict.verdict, self.windows);
        }
    }

    fn event(&mut self, event: &Event) {
        let text =
            serde_json::to_string(event).expect("events have string keys and finite numbers");
        print(&(text + "\n"));
    }

    fn trouble(&mut self, message: &str) {
        eprintln!("warning: {message}");
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }
}

pub(crate) fn info(args: &InfoArgs) -> Result<(), OffkeyError> {
    let monitor = Monitor::load(&args.model, Compute::default())?;
    let card = monitor.card();
    if args.json {
        print_json(card);
        return Ok(());
    }
    let mut text = format!(
        "{}, learned by offkey {} with recipe `{}`, seed {}\nwindows: {:.1} s at {} Hz, one every {} s\n",
        card.name,
        card.version,
        card.recipe.name,
        card.seed,
        card.windows.seconds(card.windows.samples as u64),
        card.windows.rate_hz,
        card.promise.every_s,
    );
    text += &format!(
        "references: {}, calibration: {}\nclasses: {}\npromise: {}\n",
        card.references.len(),
        monitor.calibration_scores().len(),
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
    let monitor = Monitor::load(&args.model, Compute::default())?;
    let recordings =
        if args.data.is_empty() { Vec::new() } else { offkey::recordings(&args.data)? };
    let test = monitor.self_test(&recordings, bars)?;
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
            let mut row = vec![curve.fault.name().to_owned()];
            row.extend(curve.detected.iter().map(|share| table::percent(Some(*share))));
            row.push(curve.found_from_db.map_or_else(|| "-".to_owned(), |db| format!("{db} dB")));
            row
        })
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    print(&table::render(&header, &rows));
    print(&format!(
        "\npercent of {} windows that alarm; without any fault {:.1} %\n",
        test.windows,
        100.0 * test.false_alarms
    ));
    Ok(())
}

pub(crate) fn update(args: &UpdateArgs, bars: &Bars) -> Result<(), OffkeyError> {
    let monitor = Monitor::load(&args.model, Compute::default())?;
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
        monitor.update(&offkey::recordings(&args.normal)?, args.force, bars)?
    };
    monitor.save(&args.model)?;
    print(&format!("promise: {}\n", monitor.card().promise));
    Ok(())
}
