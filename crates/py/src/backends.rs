//! Backends fitted to embeddings, and the detector of sounds fitted to waveforms: what the scikit-learn
//! estimators stand on.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2};
use offkey::{BackendConfig, PooledFusion, monitor::MonitorError};
use offkey_core::{Domain, Seed};
use offkey_infer::{
    ModelError,
    pooled::{PooledConfig, embed_pooled},
};
use offkey_score::{Fusion, Member, References, ScoreError};
use offkey_signal::LengthPolicy;
use pyo3::prelude::*;

use crate::{
    arrays,
    error::{Raise, usage},
};

/// A score and the embedding it is about lie in `float64` and `float32` arrays.
type Scores<'py> = Bound<'py, PyArray1<f64>>;

/// A backend fitted to normal embeddings.
#[pyclass(frozen, module = "offkey._core")]
pub(crate) struct Backend {
    fitted: offkey_score::Backend,
    held_out: Vec<f64>,
}

#[pymethods]
impl Backend {
    /// Fits a backend, given as the JSON of a recipe's `[backend]` table, to `[clips, dims]`. Rows of one
    /// group are left out together.
    #[staticmethod]
    fn fit(
        py: Python<'_>,
        backend: &str,
        embeddings: PyReadonlyArray2<'_, f32>,
        groups: Vec<String>,
        seed: u64,
    ) -> PyResult<Self> {
        let config: BackendConfig = serde_json::from_str(backend).map_err(|error| {
            let hint = format!("names: {}", backend_names().join(", "));
            usage(py, &format!("the backend is not valid: {error}"), Some(&hint))
        })?;
        let embeddings = embeddings.as_array();
        let fitted = py.detach(|| {
            let domains: Vec<Option<Domain>> = vec![None; embeddings.nrows()];
            let references = References::new(embeddings, &domains, &groups, Seed::new(seed))?;
            let held_out = config.held_out_scores(&references)?;
            Ok::<_, ScoreError>(Self { fitted: config.fit(&references)?, held_out })
        });
        fitted.map_err(|error| error.raise(py))
    }

    /// Anomaly scores of `[clips, dims]`: larger is more anomalous.
    fn score<'py>(
        &self,
        py: Python<'py>,
        embeddings: PyReadonlyArray2<'py, f32>,
    ) -> PyResult<Scores<'py>> {
        let embeddings = embeddings.as_array();
        let scores = py.detach(|| self.fitted.score(embeddings));
        Ok(scores.map_err(|error| error.raise(py))?.into_pyarray(py))
    }

    /// The nearest reference of each of `[clips, dims]`, and how far it is.
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        embeddings: PyReadonlyArray2<'py, f32>,
    ) -> PyResult<(Bound<'py, PyArray1<usize>>, Scores<'py>)> {
        let embeddings = embeddings.as_array();
        let nearest = py.detach(|| self.fitted.nearest(embeddings));
        let nearest = nearest.map_err(|error| error.raise(py))?;
        let rows: Vec<usize> = nearest.iter().map(|nearest| nearest.reference).collect();
        let distances: Vec<f64> = nearest.iter().map(|nearest| nearest.distance).collect();
        Ok((rows.into_pyarray(py), distances.into_pyarray(py)))
    }

    /// Scores of the references, each made without its own group.
    fn held_out<'py>(&self, py: Python<'py>) -> Scores<'py> {
        self.held_out.clone().into_pyarray(py)
    }

    /// What had to be done differently from the settings.
    fn warnings(&self) -> Vec<String> {
        self.fitted.warnings().iter().map(ToString::to_string).collect()
    }
}

/// The names of the backends.
#[pyfunction]
pub(crate) fn backend_names() -> Vec<&'static str> {
    BackendConfig::all().iter().map(BackendConfig::name).collect()
}

/// The members that a monitor learns by default, fitted to recordings of one length.
#[pyclass(frozen, module = "offkey._core")]
pub(crate) struct Sounds {
    pooled: Vec<PooledConfig>,
    fusion: Fusion,
}

/// Samples of the shortest recording that has a spectrogram; shorter ones are repeated up to it.
const LEAST_SAMPLES: usize = 1024;

#[pymethods]
impl Sounds {
    /// Fits the members to `[recordings, samples]`. Rows of one group are left out together.
    #[staticmethod]
    fn fit(
        py: Python<'_>,
        waves: PyReadonlyArray2<'_, f32>,
        rate_hz: u32,
        groups: Vec<String>,
        seed: u64,
    ) -> PyResult<Self> {
        let rows = arrays::rows(py, &waves)?;
        let fitted = py.detach(|| {
            let fusion = PooledFusion::default();
            let pooled = fusion.pooled(rate_hz);
            let embeddings = embed(&pooled, &rows)?;
            let domains: Vec<Option<Domain>> = vec![None; rows.len()];
            let failed = |source| MonitorError::Score { name: "the recordings".to_owned(), source };
            let mut members = Vec::new();
            for (number, rows) in embeddings.iter().enumerate() {
                let references = References::new(rows.view(), &domains, &groups, Seed::new(seed))
                    .map_err(failed)?;
                let (name, backend) = (format!("spectrum {number}"), PooledFusion::backend());
                members.push(Member { name, backend, references });
            }
            let fusion = Fusion::fit(&members, fusion.rule).map_err(failed)?;
            Ok::<_, MonitorError>(Self { pooled, fusion })
        });
        fitted.map_err(|error| error.raise(py))
    }

    /// Anomaly scores of `[recordings, samples]`, in deviations of held-out normals.
    fn score<'py>(
        &self,
        py: Python<'py>,
        waves: PyReadonlyArray2<'py, f32>,
    ) -> PyResult<Scores<'py>> {
        let rows = arrays::rows(py, &waves)?;
        let scores = py.detach(|| {
            let embeddings = embed(&self.pooled, &rows)?;
            let views: Vec<_> = embeddings.iter().map(|rows| rows.view()).collect();
            let failed = |source| MonitorError::Score { name: "the recordings".to_owned(), source };
            self.fusion.score(&views).map_err(failed)
        });
        Ok(scores.map_err(|error| error.raise(py))?.into_pyarray(py))
    }

    /// Scores of the references, each made without its own group.
    fn held_out<'py>(&self, py: Python<'py>) -> Scores<'py> {
        self.fusion.held_out().to_vec().into_pyarray(py)
    }
}

/// One array per member.
fn embed(
    pooled: &[PooledConfig],
    rows: &[&[f32]],
) -> Result<Vec<ndarray::Array2<f32>>, MonitorError> {
    let mut waves = Vec::new();
    for row in rows {
        let length = row.len().max(LEAST_SAMPLES);
        let wave = LengthPolicy::Loop.fit(row, length, 0);
        waves.push(wave?);
    }
    Ok(embed_pooled(pooled, &waves).map_err(ModelError::from)?)
}
