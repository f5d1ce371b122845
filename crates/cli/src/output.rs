//! Results on standard output: all of them, or a failure that the exit code tells.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use offkey_core::paths::printable_lines;
use serde::Serialize;

/// Why standard output took no more; nothing is written to it afterwards.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Writes for people to standard output: what names hold of control characters is shown by escapes.
pub(crate) fn print(text: &str) {
    print_raw(&printable_lines(text));
}

/// Writes for programs to standard output, as it is. Where that fails, [`failure`] knows, and later
/// calls do nothing.
pub(crate) fn print_raw(text: &str) {
    if failure().is_some() {
        return;
    }
    let mut output = io::stdout().lock();
    if let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        let _ = FAILURE.set(error);
    }
}

/// Writes a value as indented JSON.
pub(crate) fn print_json<T: Serialize>(value: &T) {
    let text =
        serde_json::to_string_pretty(value).expect("results have string keys and finite numbers");
    print_raw(&(text + "\n"));
}

/// A message whose further lines are indented, so that no name can pass for a message of its own.
pub(crate) fn message(text: &str) -> String {
    printable_lines(text).replace('\n', "\n    ")
}

/// Why not all results were written, where they were not.
pub(crate) fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}
