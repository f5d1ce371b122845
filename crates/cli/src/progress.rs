//! Progress for people: a bar with the remaining time on a terminal, plain lines elsewhere.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use offkey::{Progress, Stage};

/// Set by Ctrl-C; read by every stage.
pub(crate) static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Shows stages on standard error.
pub(crate) struct Bars {
    bar: Mutex<ProgressBar>,
    quiet: bool,
}

impl Bars {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { bar: Mutex::new(ProgressBar::hidden()), quiet }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, ProgressBar> {
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
    }

    fn advance(&self, done: u64, note: &str) {
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
    fn note(&self, message: &str) {
        if !self.quiet {
            self.bar().suspend(|| eprintln!("{message}"));
        }
    }

    #[expect(clippy::print_stderr, reason = "warnings are for people and go to standard error")]
    fn warn(&self, message: &str) {
        self.bar().suspend(|| eprintln!("warning: {message}"));
    }

    fn cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }
}
