//! How a long call speaks to whoever started it, and how it is asked to stop.

use crate::stages::Stage;

/// Receives progress and answers whether to go on. Calls come from one thread at a time or from
/// many; an implementation must cope with both.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// use offkey_core::{Progress, Stage};
///
/// /// Stops when a button is pressed, and prints what is to be known.
/// struct Button {
///     pressed: AtomicBool,
/// }
///
/// impl Progress for Button {
///     fn begin(&self, stage: Stage, total: u64, unit: &str) {
///         println!("{stage}: {total} {unit}");
///     }
///     fn advance(&self, _done: u64, _note: &str) {}
///     fn end(&self) {}
///     fn note(&self, _message: &str) {}
///     fn warn(&self, message: &str) {
///         eprintln!("{message}");
///     }
///     fn cancelled(&self) -> bool {
///         self.pressed.load(Ordering::Relaxed)
///     }
/// }
/// ```
pub trait Progress: Sync {
    /// A stage begins that will take `total` steps of `unit`.
    fn begin(&self, stage: Stage, total: u64, unit: &str);
    /// `done` steps of the current stage are done; `note` is a short figure to show beside them.
    fn advance(&self, done: u64, note: &str);
    /// The current stage is over.
    fn end(&self);
    /// What comes next, where stages repeat; replaces the note before.
    fn note(&self, message: &str);
    /// Something a person should know, though the call goes on.
    fn warn(&self, message: &str);
    /// Whether the caller wants the call to stop at the next safe point.
    fn cancelled(&self) -> bool;
}

/// Says nothing and never stops.
///
/// ```
/// use offkey_core::{Progress, Silent};
///
/// assert!(!Silent.cancelled());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: Stage, _total: u64, _unit: &str) {}
    fn advance(&self, _done: u64, _note: &str) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
    fn warn(&self, _message: &str) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Passes on the steps of a call that knows no stages, as `hear` of a monitor. The caller says when it is over.
pub fn steps<'a>(
    progress: &'a dyn Progress,
    stage: Stage,
    unit: &'a str,
) -> impl Fn(usize, usize) -> bool + 'a {
    let begun = std::cell::Cell::new(0);
    move |done, total| {
        if begun.replace(total) != total {
            progress.begin(stage, total as u64, unit);
        }
        progress.advance(done as u64, "");
        !progress.cancelled()
    }
}

/// Passes on warnings and the wish to stop, and nothing else: for steps inside of a stage.
pub struct Hushed<'a>(pub &'a dyn Progress);

impl Progress for Hushed<'_> {
    fn begin(&self, _stage: Stage, _total: u64, _unit: &str) {}
    fn advance(&self, _done: u64, _note: &str) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
    fn warn(&self, message: &str) {
        self.0.warn(message);
    }
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
