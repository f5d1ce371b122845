//! Scores and truth to numbers.

use std::{path::PathBuf, str::FromStr};

use numpy::PyReadonlyArray1;
use offkey::{Clip, OffkeyError, ScoreRow, Split};
use offkey_eval::{BootstrapConfig, evaluate_with};
use pyo3::{prelude::*, types::PyAny};

use crate::{
    convert::to_python,
    error::{Raise, usage},
    runs::year_of,
};

/// Scores of normal and of anomalous clips.
type Scores<'py> = PyReadonlyArray1<'py, f64>;

/// Both lists, checked.
fn checked(py: Python<'_>, normal: &Scores, anomalous: &Scores) -> PyResult<(Vec<f64>, Vec<f64>)> {
    let list = |scores: &Scores| -> Vec<f64> { scores.as_array().iter().copied().collect() };
    let (normal, anomalous) = (list(normal), list(anomalous));
    match normal.iter().chain(&anomalous).find(|score| !score.is_finite()) {
        Some(score) => {
            let message = format!("a score is {score}, expected a finite number");
            Err(usage(py, &message, None))
        }
        None => Ok((normal, anomalous)),
    }
}

/// Area under the ROC curve; none where one condition is absent.
#[pyfunction]
pub(crate) fn auc(py: Python<'_>, normal: Scores, anomalous: Scores) -> PyResult<Option<f64>> {
    let (normal, anomalous) = checked(py, &normal, &anomalous)?;
    Ok(offkey_eval::auc(&normal, &anomalous))
}

/// Partial area up to a false-positive rate of 0.1; none where one condition is absent.
#[pyfunction]
pub(crate) fn pauc(py: Python<'_>, normal: Scores, anomalous: Scores) -> PyResult<Option<f64>> {
    let (normal, anomalous) = checked(py, &normal, &anomalous)?;
    Ok(offkey_eval::pauc(&normal, &anomalous))
}

/// The ROC curve: one row per distinct score, thresholds falling.
#[pyfunction]
pub(crate) fn roc<'py>(
    py: Python<'py>,
    normal: Scores,
    anomalous: Scores,
) -> PyResult<Bound<'py, PyAny>> {
    let (normal, anomalous) = checked(py, &normal, &anomalous)?;
    to_python(py, &offkey_eval::roc(&normal, &anomalous))
}

/// One column per property, one place per clip; what is unknown is empty.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Columns {
    name: Vec<String>,
    machine: Vec<String>,
    section: Vec<String>,
    domain: Vec<String>,
    label: Vec<String>,
    group: Vec<String>,
    score: Vec<f64>,
    decision: Vec<Option<bool>>,
}

impl Columns {
    fn row(&self, index: usize) -> Result<ScoreRow, String> {
        let domain = &self.domain[index];
        let label = &self.label[index];
        let (name, group) = (self.name[index].clone(), &self.group[index]);
        let clip = Clip {
            path: PathBuf::from(&name),
            group: if group.is_empty() { name.clone() } else { group.clone() },
            name,
            machine: self.machine[index].clone(),
            section: self.section[index].clone(),
            domain: known(domain)?,
            split: Split::Test,
            condition: known(label)?,
            attributes: String::new(),
        };
        Ok(ScoreRow { clip, score: self.score[index], decision: self.decision[index] })
    }
}

/// A word; an empty one says nothing.
fn known<T: FromStr<Err: std::fmt::Display>>(word: &str) -> Result<Option<T>, String> {
    if word.is_empty() {
        Ok(None)
    } else {
        word.parse().map(Some).map_err(|e: T::Err| e.to_string())
    }
}

/// Official metrics of scored clips.
#[pyfunction]
#[pyo3(signature = (columns, year=None, intervals=true))]
pub(crate) fn evaluate_rows<'py>(
    py: Python<'py>,
    columns: Columns,
    year: Option<&str>,
    intervals: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let year = year_of(py, year)?;
    let rows: Result<Vec<ScoreRow>, _> =
        (0..columns.score.len()).map(|index| columns.row(index)).collect();
    let rows = rows.map_err(|error| usage(py, &error, None))?;
    let bootstrap = intervals.then(BootstrapConfig::default);
    let metrics = py.detach(|| evaluate_with(&rows, year, bootstrap));
    to_python(py, &metrics.map_err(|error| OffkeyError::from(error).raise(py))?)
}

/// Official metrics of score files in the challenge's form, and what of them was not used.
#[pyfunction]
#[pyo3(signature = (scores, truth=None, year=None))]
pub(crate) fn evaluate_files<'py>(
    py: Python<'py>,
    scores: PathBuf,
    truth: Option<PathBuf>,
    year: Option<&str>,
) -> PyResult<(Bound<'py, PyAny>, Vec<String>)> {
    let year = year_of(py, year)?;
    let evaluated = py.detach(|| offkey::evaluate_scores(&scores, truth.as_deref(), year));
    let (metrics, unused) = evaluated.map_err(|error| error.raise(py))?;
    Ok((to_python(py, &metrics)?, unused.iter().map(ToString::to_string).collect()))
}
