//! `offkey check`: recordings judged with a monitor.

use std::{path::PathBuf, process::ExitCode, sync::atomic::Ordering};

use clap::Args;
use offkey_core::{printable, recordings_and_left_out, table::to_csv, with_causes};
use offkey_monitor::{Checked, ClipVerdict, PKind, Problem, Promise, Verdict, WindowVerdict};
use serde::Serialize;

use super::shared::{EXIT_ALARM, EXIT_UNJUDGED, load_monitor};
use crate::{
    error::CliError,
    output::{print, print_json, print_raw},
    progress::CANCELLED,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  offkey check TODAY --model pump.offkey\n\nExit codes: 3 at least one alarm, even if interrupted afterwards; 130 interrupted without one; 4 no alarm, but something could not be judged or read; 0 neither; 1 failed; 2 wrong usage."
)]
pub(crate) struct CheckArgs {
    /// Recordings, or folders of them
    #[arg(required = true)]
    pub(crate) clips: Vec<PathBuf>,
    /// The model file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Print as JSON
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// Print as CSV
    #[arg(long)]
    pub(crate) csv: bool,
    /// Print every window of each recording as well, as JSON
    #[arg(long, requires = "json", conflicts_with = "csv")]
    pub(crate) windows: bool,
}

#[derive(Serialize)]
struct Clips {
    expected_false_alarms: Option<f64>,
    clips: Vec<Clip>,
}

/// A recording's verdict as it is printed. Paths are text: one that is none is shown as near as can be.
#[derive(Serialize)]
struct Clip {
    path: String,
    score: Option<f64>,
    p_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_kind: Option<PKind>,
    verdict: Verdict,
    /// Share of normal recordings that alarm: at most so many where the p-value is a bound.
    expected_false_alarms: Option<f64>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Vec<Window>>,
}

/// The same as a row of a table, every column filled.
#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    score: Option<f64>,
    p_value: Option<f64>,
    p_kind: Option<PKind>,
    verdict: Verdict,
    expected_false_alarms: Option<f64>,
    reason: &'a str,
    damage: &'a str,
    differs: &'a str,
}

/// One window's verdict, as both `check` and `watch` print it.
#[derive(Serialize)]
pub(crate) struct Window {
    start_s: f64,
    score: Option<f64>,
    p_value: Option<f64>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
    reason: String,
}

impl Window {
    pub(crate) fn new(start_s: f64, window: &WindowVerdict) -> Self {
        let WindowVerdict { score, p_value, verdict, problem, reason, .. } = window.clone();
        Self { start_s, score, p_value, verdict, problem, reason }
    }
}

impl Clip {
    fn new(clip: ClipVerdict, promise: &Promise, windows: Option<Vec<Window>>) -> Self {
        let ClipVerdict { path, score, p_value, p_kind, verdict, reason, damage, differs } = clip;
        let path = path.to_string_lossy().into_owned();
        let expected_false_alarms = promise.at_most.or(promise.measured);
        Self {
            path,
            score,
            p_value,
            p_kind,
            verdict,
            expected_false_alarms,
            reason,
            damage,
            differs,
            windows,
        }
    }

    fn is_partial(&self) -> bool {
        self.verdict == Verdict::CannotTell || self.damage.is_some()
    }
}

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let monitor = load_monitor(&args.model)?;
    let (rule, promise) = (monitor.card().windows, monitor.promise());
    let (mut clips, mut wanted) = (Vec::new(), Vec::new());
    for named in &args.clips {
        let found = if named.exists() {
            recordings_and_left_out(std::slice::from_ref(named))
                .map_err(|error| with_causes(&error))
        } else {
            // A name that is mistyped must not look like a clip without alarm.
            Err("no such file or folder".to_owned())
        };
        match found {
            Ok((paths, left_out)) => {
                wanted.extend(paths.into_iter().map(Ok));
                let missed = left_out.iter().filter(|left| left.may_hold_sound());
                wanted.extend(missed.map(|left| Err((left.path.clone(), left.reason.to_string()))));
            }
            Err(reason) => wanted.push(Err((named.clone(), reason))),
        }
    }
    let (mut judged, total) = (0, wanted.len());
    let stop = || CANCELLED.load(Ordering::Relaxed);
    for path in wanted {
        if stop() {
            break;
        }
        let mut windows = Vec::new();
        let mut on_window = |window: &WindowVerdict| {
            if args.windows {
                windows.push(Window::new(rule.seconds(window.start), window));
            }
        };
        let checked = match path {
            Ok(path) => monitor.check_until(&path, &mut on_window, &stop)?,
            Err((path, reason)) => Checked::Whole(unread(path, reason)),
        };
        let verdict = match checked {
            Checked::Whole(verdict) => {
                judged += 1;
                verdict
            }
            Checked::Part(verdict) => verdict,
            Checked::Nothing => break,
        };
        clips.push(Clip::new(verdict, &promise, args.windows.then_some(windows)));
    }
    let alarm = clips.iter().any(|clip| clip.verdict == Verdict::Alarm);
    let partial = clips.iter().any(Clip::is_partial);
    show(args, &promise, clips);
    if judged < total {
        let stopped = CliError::Stopped { judged, total };
        if !alarm {
            return Err(stopped);
        }
        tracing::warn!("{stopped}");
    }
    Ok(match (alarm, partial) {
        (true, _) => ExitCode::from(EXIT_ALARM),
        (false, true) => ExitCode::from(EXIT_UNJUDGED),
        (false, false) => ExitCode::SUCCESS,
    })
}

fn unread(path: PathBuf, reason: String) -> ClipVerdict {
    let verdict = Verdict::CannotTell;
    let (score, p_value, p_kind, damage, differs) = (None, None, None, None, None);
    ClipVerdict { path, score, p_value, p_kind, verdict, reason, damage, differs }
}

fn show(args: &CheckArgs, promise: &Promise, clips: Vec<Clip>) {
    if args.json {
        let expected_false_alarms = promise.at_most.or(promise.measured);
        return print_json(&Clips { expected_false_alarms, clips });
    }
    if args.csv {
        let rows: Vec<Row<'_>> = clips.iter().map(row_of).collect();
        return print_raw(&to_csv(&rows));
    }
    for clip in &clips {
        let sign = match clip.p_kind {
            Some(PKind::Bound) => "<=",
            Some(PKind::Exact) => "=",
            Some(PKind::Measured) | None => "~",
        };
        let score = clip.score.zip(clip.p_value);
        let numbers = score.map(|(score, p)| format!(" (score {score:+.2}, p {sign} {p:.4})"));
        print(&format!(
            "{}: {}{}: {}\n",
            printable(&clip.path),
            clip.verdict,
            numbers.unwrap_or_default(),
            printable(&clip.reason)
        ));
    }
}

fn row_of(clip: &Clip) -> Row<'_> {
    Row {
        path: &clip.path,
        score: clip.score,
        p_value: clip.p_value,
        p_kind: clip.p_kind,
        verdict: clip.verdict,
        expected_false_alarms: clip.expected_false_alarms,
        reason: &clip.reason,
        damage: clip.damage.as_deref().unwrap_or_default(),
        differs: clip.differs.as_deref().unwrap_or_default(),
    }
}
