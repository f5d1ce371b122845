//! Sound to features, and embeddings to a map.

use std::ops::ControlFlow;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use offkey::{Seed, Stage};
use offkey_report::{
    TsneConfig,
    tsne::{Distance, Method},
};
use offkey_signal::{FloorRule, FramePadding, LogMel, LogScale, Stft};
use pyo3::{prelude::*, types::PyAny};

use crate::{
    arrays,
    error::{Raise, usage},
    progress::long,
};

/// Magnitude spectrogram, `[frames, bins]`.
#[pyfunction]
pub(crate) fn stft<'py>(
    py: Python<'py>,
    samples: PyReadonlyArray1<'py, f32>,
    window: usize,
    hop: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let samples = arrays::samples(py, &samples)?;
    let magnitude = py.detach(|| Stft { window, hop }.magnitude(samples));
    Ok(magnitude.map_err(|error| error.raise(py))?.into_pyarray(py))
}

/// Log-mel spectrogram, `[frames, mels]`.
#[pyfunction]
#[pyo3(signature = (
    samples, rate_hz, *, window, fft, hop, mels, fmin_hz, fmax_hz, decibels, floor, add_floor, centered
))]
#[expect(clippy::too_many_arguments, reason = "the package's own function names each of them")]
pub(crate) fn log_mel<'py>(
    py: Python<'py>,
    samples: PyReadonlyArray1<'py, f32>,
    rate_hz: u32,
    window: usize,
    fft: usize,
    hop: usize,
    mels: usize,
    fmin_hz: f32,
    fmax_hz: Option<f32>,
    decibels: bool,
    floor: f32,
    add_floor: bool,
    centered: bool,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let samples = arrays::samples(py, &samples)?;
    let config = LogMel {
        rate_hz,
        window,
        fft,
        hop,
        mels,
        fmin_hz,
        fmax_hz,
        scale: if decibels { LogScale::Db } else { LogScale::Ln },
        floor,
        floor_rule: if add_floor { FloorRule::Add } else { FloorRule::Raise },
        padding: if centered { FramePadding::Centered } else { FramePadding::Valid },
        ..LogMel::default()
    };
    let spectrogram = py.detach(|| config.log_mel(samples));
    Ok(spectrogram.map_err(|error| error.raise(py))?.into_pyarray(py))
}

/// Magnitude spectrum of the whole clip.
#[pyfunction]
pub(crate) fn spectrum<'py>(
    py: Python<'py>,
    samples: PyReadonlyArray1<'py, f32>,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let samples = arrays::samples(py, &samples)?;
    Ok(py.detach(|| offkey_signal::spectrum(samples)).into_pyarray(py))
}

/// Positions on a map, `[points, 2]`, and the divergence that is left.
#[pyfunction]
#[pyo3(signature = (points, *, perplexity, distance, exact, seed, progress=None))]
pub(crate) fn tsne<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f32>,
    perplexity: f64,
    distance: &str,
    exact: bool,
    seed: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray2<f32>>, f64)> {
    let distance = match distance {
        "cosine" => Distance::Cosine,
        "euclidean" => Distance::Euclidean,
        other => {
            let message = format!("distance is {other:?}, expected cosine or euclidean");
            return Err(usage(py, &message, None));
        }
    };
    let method = if exact { Method::Exact } else { Method::default() };
    let config = TsneConfig { perplexity, distance, method, ..TsneConfig::default() };
    let points = points.as_array();
    let map = long(py, progress.as_ref(), |progress| {
        let total = (config.early_steps + config.steps) as u64;
        progress.begin(Stage::Map, total, "steps");
        let map = config.fit(points, Seed::new(seed), |done, _| {
            progress.advance(done as u64, "");
            if progress.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        progress.end();
        map
    })?;
    Ok((map.positions().clone().into_pyarray(py), map.kl()))
}
