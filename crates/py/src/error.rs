//! Errors as the package's exceptions, with the advice beside the message.

use std::error::Error;

use offkey::{ErrorKind, OffkeyError, monitor::MonitorError};
use offkey_report::TsneError;
use offkey_score::ScoreError;
use offkey_signal::FeatureError;
use pyo3::{prelude::*, sync::PyOnceLock, types::PyAny};

/// What becomes an exception of the package.
pub(crate) trait Raise {
    /// The exception, with its advice.
    fn raise(self, py: Python<'_>) -> PyErr;
}

impl Raise for OffkeyError {
    fn raise(self, py: Python<'_>) -> PyErr {
        exception(py, &self, self.kind(), self.hint())
    }
}

impl Raise for MonitorError {
    fn raise(self, py: Python<'_>) -> PyErr {
        OffkeyError::from(self).raise(py)
    }
}

impl Raise for ScoreError {
    /// Whoever calls a backend by hand gave it what it cannot take.
    fn raise(self, py: Python<'_>) -> PyErr {
        exception(py, &self, ErrorKind::Usage, None)
    }
}

impl Raise for FeatureError {
    fn raise(self, py: Python<'_>) -> PyErr {
        exception(py, &self, ErrorKind::Usage, None)
    }
}

impl Raise for TsneError {
    fn raise(self, py: Python<'_>) -> PyErr {
        exception(py, &self, ErrorKind::Usage, None)
    }
}

/// An exception that the caller's values are to blame for.
pub(crate) fn usage(py: Python<'_>, message: &str, hint: Option<&str>) -> PyErr {
    raised(py, "UsageError", message, hint)
}

fn exception(
    py: Python<'_>,
    error: &(dyn Error + 'static),
    kind: ErrorKind,
    hint: Option<String>,
) -> PyErr {
    let class = match kind {
        ErrorKind::Usage => "UsageError",
        ErrorKind::Failed => "FailedError",
        ErrorKind::Cancelled => "CancelledError",
    };
    raised(py, class, &offkey_core::with_causes(error), hint.as_deref())
}

/// The exception of this name in `offkey.errors`; what keeps it from being made is raised instead.
fn raised(py: Python<'_>, class: &str, message: &str, hint: Option<&str>) -> PyErr {
    static ERRORS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let errors = ERRORS.get_or_try_init(py, || Ok(py.import("offkey.errors")?.into_any().unbind()));
    let made = errors
        .and_then(|errors: &Py<PyAny>| errors.bind(py).getattr(class)?.call1((message, hint)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
