//! Progress for people: a bar with the remaining time on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use offkey_core::{Progress, Stage};

use crate::output;

/// Set by Ctrl-C; read by every stage.
pub(crate) static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Without a terminal, so long passes between two lines about the same stage.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Shows stages on standard error.
pub(crate) struct Bars {
    bar: Mutex<ProgressBar>,
    lines: Mutex<Option<Lines>>,
    quiet: bool,
}

/// What lines about the current stage need, where there is no terminal to draw a bar on.
struct Lines {
    label: &'static str,
    total: u64,
    unit: String,
    begun: Instant,
    last: Instant,
}

impl Lines {
    /// The line that is due after `done` steps, if one is.
    fn due(&mut self, done: u64, note: &str, now: Instant) -> Option<String> {
        if now.duration_since(self.last) < LINE_EVERY {
            return None;
        }
        self.last = now;
        let Self { label, total, unit, begun, .. } = self;
        let left = total.saturating_sub(done) as f64 / done.max(1) as f64;
        let left_s = (now.duration_since(*begun).as_secs_f64() * left).ceil();
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        Some(format!("{label} {done}/{total} {unit}, about {left_s} s left{note}"))
    }
}

impl Bars {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { bar: Mutex::new(ProgressBar::hidden()), lines: Mutex::new(None), quiet }
    }

    fn bar(&self) -> MutexGuard<'_, ProgressBar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, Option<Lines>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn begin(&self, stage: Stage, total: u64, unit: &str) {
        let target = if self.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(8)
        };
        let template = format!(
            "{:>12} {{bar:28}} {{pos}}/{{len}} {unit}  {{eta}} left  {{msg}}",
            stage.label()
        );
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        *self.bar() = ProgressBar::with_draw_target(Some(total), target).with_style(style);
        let now = Instant::now();
        *self.lines() = (!self.quiet && !std::io::stderr().is_terminal()).then(|| Lines {
            label: stage.label(),
            total,
            unit: unit.to_owned(),
            begun: now,
            last: now,
        });
    }

    #[expect(clippy::print_stderr, reason = "progress is for people and goes to standard error")]
    fn advance(&self, done: u64, note: &str) {
        let line = self.lines().as_mut().and_then(|lines| lines.due(done, note, Instant::now()));
        if let Some(line) = line {
            eprintln!("{line}");
        }
        let bar = self.bar();
        bar.set_position(done);
        if !note.is_empty() {
            bar.set_message(note.to_owned());
        }
    }

    fn end(&self) {
        self.bar().finish();
    }

    #[expect(clippy::print_stderr, reason = "notes are for people and go to standard error")]
    fn note(&self, text: &str) {
        if !self.quiet {
            self.bar().suspend(|| eprintln!("{}", output::message(text)));
        }
    }

    #[expect(clippy::print_stderr, reason = "warnings are for people and go to standard error")]
    fn warn(&self, text: &str) {
        self.bar().suspend(|| eprintln!("warning: {}", output::message(text)));
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_lines_are_few_and_say_how_long_is_left() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let unit = "steps".to_owned();
        let mut lines = Lines { label: "training", total: 120, unit, begun, last: begun };
        assert_eq!(lines.due(10, "", after(5)), None);
        let line = lines.due(30, "loss 0.5", after(20)).expect("due");
        assert_eq!(line, "training 30/120 steps, about 60 s left  loss 0.5");
        assert_eq!(lines.due(31, "", after(21)), None);
    }
}
