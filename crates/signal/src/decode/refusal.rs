//! Errors of files that are understood, and not to be used.

use std::path::Path;

use crate::AudioError;

/// A header or a block that contradicts its form.
pub(super) fn malformed(path: &Path, what: impl Into<String>) -> AudioError {
    AudioError::Malformed { path: path.to_owned(), what: what.into() }
}

/// A form that is known and not decoded.
pub(super) fn unsupported(
    path: &Path,
    what: &'static str,
    found: String,
    expected: &'static str,
) -> AudioError {
    AudioError::Unsupported { path: path.to_owned(), what, found, expected }
}
