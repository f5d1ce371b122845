//! Results on standard output: all of them, or a failure that the exit code tells.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use serde::Serialize;

/// Why standard output took no more; nothing is written to it afterwards.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output. Where that fails, [`failure`] knows, and later calls do nothing.
pub(crate) fn print(text: &str) {
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
    print(&(text + "\n"));
}

/// Why not all results were written, where they were not.
pub(crate) fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}
