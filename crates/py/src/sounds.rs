//! Recordings as arrays, and arrays as recordings.

use std::path::{Path, PathBuf};

use numpy::{IntoPyArray, PyArray1};
use offkey::OffkeyError;
use offkey_signal::{ChannelRule, DecodeConfig, decode};
use pyo3::{prelude::*, types::PyAny};

use crate::{convert::to_python, error::Raise};

/// A recording's samples and rate: the mean of its channels or one of them, at its own rate or another.
#[pyfunction]
#[pyo3(signature = (path, channel=None, rate_hz=None))]
pub(crate) fn read_sound(
    py: Python<'_>,
    path: PathBuf,
    channel: Option<u16>,
    rate_hz: Option<u32>,
) -> PyResult<(Bound<'_, PyArray1<f32>>, u32)> {
    let channel = channel.map_or(ChannelRule::default(), ChannelRule::Pick);
    let config = DecodeConfig { channel, rate_hz };
    let wave = py.detach(|| decode(&path, &config)).map_err(OffkeyError::from);
    let wave = wave.map_err(|error| error.raise(py))?;
    Ok((wave.samples.into_pyarray(py), wave.rate_hz))
}

/// The recordings among files and folders, sorted within each folder.
#[pyfunction]
pub(crate) fn recordings(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Bound<'_, PyAny>> {
    let found =
        py.detach(|| offkey::recordings(&paths)).map_err(|e| OffkeyError::from(e).raise(py))?;
    let found: Vec<String> = found.iter().map(|path| text(path)).collect();
    to_python(py, &found)
}

/// A path as text; what is none is shown as near as can be.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A mono WAV file of 32-bit floating point: every sample as it is.
pub(crate) fn float_wav(samples: &[f32], rate_hz: u32) -> Vec<u8> {
    const HEADER_BYTES: u32 = 50;
    let data_bytes = u32::try_from(4 * samples.len()).unwrap_or(u32::MAX - HEADER_BYTES);
    let frames = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(58 + 4 * samples.len());
    bytes.extend(b"RIFF");
    bytes.extend((HEADER_BYTES + data_bytes).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(18_u32.to_le_bytes());
    bytes.extend(3_u16.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend(rate_hz.saturating_mul(4).to_le_bytes());
    bytes.extend(4_u16.to_le_bytes());
    bytes.extend(32_u16.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend(b"fact");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(frames.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    for sample in samples {
        bytes.extend(sample.to_le_bytes());
    }
    bytes
}
