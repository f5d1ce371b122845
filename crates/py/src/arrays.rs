//! Arrays on their way in: contiguous, finite, borrowed.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::error::usage;

/// The samples of a recording, checked.
pub(crate) fn samples<'a>(
    py: Python<'_>,
    array: &'a PyReadonlyArray1<'_, f32>,
) -> PyResult<&'a [f32]> {
    let samples = array.as_slice().map_err(|_| {
        let hint = "make it contiguous: numpy.ascontiguousarray(x, dtype=numpy.float32)";
        usage(py, "the samples do not lie side by side in memory", Some(hint))
    })?;
    match samples.iter().position(|sample| !sample.is_finite()) {
        None => Ok(samples),
        Some(at) => {
            let message = format!("sample {at} is {}, expected a finite number", samples[at]);
            Err(usage(py, &message, None))
        }
    }
}

/// The rows of a contiguous array of recordings of one length.
pub(crate) fn rows<'a>(
    py: Python<'_>,
    array: &'a PyReadonlyArray2<'_, f32>,
) -> PyResult<Vec<&'a [f32]>> {
    let width = array.as_array().ncols();
    let all = array.as_slice().map_err(|_| {
        let hint = "make it contiguous: numpy.ascontiguousarray(x, dtype=numpy.float32)";
        usage(py, "the samples do not lie side by side in memory", Some(hint))
    })?;
    if width == 0 {
        return Err(usage(py, "the recordings have no samples", None));
    }
    Ok(all.chunks_exact(width).collect())
}
