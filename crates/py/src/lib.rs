//! The compiled half of the Python package `offkey`: plain functions and two classes, which the package's
//! Python files give names, defaults and checks. Start reading at `python/offkey/__init__.py`.
//!
//! Arrays come as contiguous float32 and are not copied. The interpreter's lock is released while Rust works.

mod arrays;
mod backends;
mod convert;
mod detector;
mod error;
mod features;
mod learning;
mod metrics;
mod progress;
mod runs;
mod sounds;

/// The private module `offkey._core`.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::{
        backends::{Backend, Sounds, backend_names},
        detector::Detector,
        features::{log_mel, spectrum, stft, tsne},
        learning::learn,
        metrics::{auc, evaluate_files, evaluate_rows, pauc, roc},
        runs::{explain, recipe_names, recipe_text, run, set_threads, synthesize},
        sounds::{read_sound, recordings},
    };

    /// The version of the program.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// Endings of names that are taken for recordings.
    #[pymodule_export]
    const AUDIO_EXTENSIONS: [&str; offkey_core::names::AUDIO_EXTENSIONS.len()] =
        offkey_core::names::AUDIO_EXTENSIONS;
}
