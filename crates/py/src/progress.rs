//! Long calls: the work is done by a thread of its own, while the calling one passes on progress and
//! notices Ctrl-C.

use std::{
    panic::resume_unwind,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use offkey::{Progress, Stage};
use pyo3::{prelude::*, types::PyAny};

use crate::error::Raise;

/// How often the calling thread looks for Ctrl-C, and the least time between two reports of one stage.
const EVERY: Duration = Duration::from_millis(50);
/// The main thread's usual stack; threads have less by default.
const STACK_BYTES: usize = 8 << 20;

/// What the working thread has to say.
enum Word {
    At { stage: Stage, done: u64, total: u64, unit: String, note: String },
    Warning(String),
}

/// Progress as the working thread sees it.
struct Reporter<'a> {
    words: Sender<Word>,
    stop: &'a AtomicBool,
    begun: Mutex<Option<(Stage, u64, String)>>,
    since: Instant,
    /// Milliseconds after which `advance` reports again.
    next_ms: AtomicU64,
}

impl Reporter<'_> {
    fn say(&self, word: Word) {
        // Nobody listens any more when the caller was interrupted: then `stop` ends the work.
        let _ = self.words.send(word);
    }

    fn report(&self, done: Option<u64>, note: &str) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stage, total, unit)) = begun.as_ref() {
            let (done, note) = (done.unwrap_or(*total), note.to_owned());
            self.say(Word::At { stage: *stage, done, total: *total, unit: unit.clone(), note });
        }
    }
}

impl Progress for Reporter<'_> {
    fn begin(&self, stage: Stage, total: u64, unit: &str) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((stage, total, unit.to_owned()));
        self.report(Some(0), "");
    }

    fn advance(&self, done: u64, note: &str) {
        let now_ms = self.since.elapsed().as_millis() as u64;
        let due_ms = self.next_ms.load(Ordering::Relaxed);
        let next_ms = now_ms + EVERY.as_millis() as u64;
        let (order, mine) = (Ordering::Relaxed, now_ms >= due_ms);
        if mine && self.next_ms.compare_exchange(due_ms, next_ms, order, order).is_ok() {
            self.report(Some(done), note);
        }
    }

    fn end(&self) {
        self.report(None, "");
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn note(&self, message: &str) {
        self.report(Some(0), message);
    }

    fn warn(&self, message: &str) {
        self.say(Word::Warning(message.to_owned()));
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Does long work with the interpreter's lock released.
///
/// `callback(stage, done, total, unit, note)` is called on this thread. What it raises, and what Ctrl-C
/// raises, stops the work at its next safe point and is raised then.
pub(crate) fn long<T: Send, E: Raise + Send>(
    py: Python<'_>,
    callback: Option<&Py<PyAny>>,
    work: impl FnOnce(&dyn Progress) -> Result<T, E> + Send,
) -> PyResult<T> {
    let stop = &AtomicBool::new(false);
    let (words, heard) = channel();
    let (outcome, raised) = py.detach(move || {
        thread::scope(|scope| {
            let reporter = Reporter {
                words,
                stop,
                begun: Mutex::new(None),
                since: Instant::now(),
                next_ms: AtomicU64::new(0),
            };
            let working = thread::Builder::new()
                .name("offkey".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, move || {
                    let reporter = reporter;
                    work(&reporter)
                });
            let working = match working {
                Ok(working) => working,
                Err(error) => return (None, Some(PyErr::from(error))),
            };
            let mut raised = None;
            loop {
                let word = match heard.recv_timeout(EVERY) {
                    Ok(word) => Some(word),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if raised.is_none() {
                    raised = Python::attach(|py| pass_on(py, word, callback)).err();
                    stop.store(raised.is_some(), Ordering::Relaxed);
                }
            }
            (Some(working.join()), raised)
        })
    });
    if let Some(raised) = raised {
        return Err(raised);
    }
    match outcome {
        Some(Ok(result)) => result.map_err(|error| error.raise(py)),
        Some(Err(panic)) => resume_unwind(panic),
        None => unreachable!("without a thread there is an error"),
    }
}

fn pass_on(py: Python<'_>, word: Option<Word>, callback: Option<&Py<PyAny>>) -> PyResult<()> {
    py.check_signals()?;
    match word {
        Some(Word::At { stage, done, total, unit, note }) => {
            if let Some(callback) = callback {
                callback.call1(py, (name(stage), done, total, unit, note))?;
            }
        }
        Some(Word::Warning(message)) => {
            let category = py.import("offkey.errors")?.getattr("OffkeyWarning")?;
            py.import("warnings")?.call_method1("warn", (message, category, 3))?;
        }
        None => {}
    }
    Ok(())
}

/// A stage in one word, as progress names it.
fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Synthesize => "synthesize",
        Stage::Check => "check",
        Stage::Train => "train",
        Stage::Embed => "embed",
        Stage::Score => "score",
        Stage::Baselines => "baselines",
        Stage::Evaluate => "evaluate",
        Stage::Map => "map",
        Stage::Explain => "explain",
        Stage::Report => "report",
    }
}
