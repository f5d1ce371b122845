//! What the stages hand each other: embeddings with their clips, scores with their clips.
//!
//! An embedding table is a folder with `embeddings.npy` (float32, `[clips, dims]`) and `rows.csv`
//! (one clip a row, same order). A score table is one CSV. Both are read with ordinary tools.

use std::{
    io,
    path::{Path, PathBuf},
};

use csv::StringRecord;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::{
    Clip, UnknownWord,
    clip::ClipRow,
    formulas,
    npy::{self, NpyError},
    write_whole,
};

/// Embeddings, one row a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingTable {
    /// The clips, in row order.
    pub clips: Vec<Clip>,
    /// `[clips, dims]`.
    pub embeddings: Array2<f32>,
}

/// One clip's anomaly score.
///
/// In tables a flat row: the clip's columns, then `score` and `decision` (1 = anomalous, 0 = normal,
/// empty where there is no threshold).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "FlatScore", try_from = "FlatScore")]
pub struct ScoreRow {
    /// The clip scored.
    pub clip: Clip,
    /// Anomaly score: larger is more anomalous, always.
    pub score: f64,
    /// Whether the score lies above the section's threshold, where there is one.
    pub decision: Option<bool>,
}

/// A [`ScoreRow`] as tables hold it: CSV has no nesting.
#[derive(Serialize, Deserialize)]
struct FlatScore {
    path: PathBuf,
    #[serde(default)]
    name: String,
    #[serde(default)]
    machine: String,
    #[serde(default)]
    section: String,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    split: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    attributes: String,
    #[serde(default)]
    group: String,
    score: f64,
    #[serde(default)]
    decision: Option<u8>,
}

impl From<ScoreRow> for FlatScore {
    fn from(ScoreRow { clip, score, decision }: ScoreRow) -> Self {
        Self {
            path: clip.path,
            name: clip.name,
            machine: clip.machine,
            section: clip.section,
            domain: clip.domain.map(|domain| domain.to_string()).unwrap_or_default(),
            split: clip.split.to_string(),
            label: clip.condition.map(|condition| condition.to_string()).unwrap_or_default(),
            attributes: clip.attributes,
            group: clip.group,
            score,
            decision: decision.map(u8::from),
        }
    }
}

impl TryFrom<FlatScore> for ScoreRow {
    type Error = UnknownWord;

    fn try_from(row: FlatScore) -> Result<Self, UnknownWord> {
        let decision = match row.decision {
            None => None,
            Some(0) => Some(false),
            Some(1) => Some(true),
            Some(found) => {
                return Err(UnknownWord {
                    what: "decision",
                    found: found.to_string(),
                    expected: "0, 1, or nothing",
                });
            }
        };
        let clip = ClipRow {
            path: row.path,
            name: row.name,
            machine: row.machine,
            section: row.section,
            domain: row.domain,
            split: row.split,
            label: row.label,
            attributes: row.attributes,
            group: row.group,
        };
        Ok(Self { clip: clip.try_into()?, score: row.score, decision })
    }
}

/// Why a table could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A CSV row does not have the expected form.
    #[error("cannot read table `{}`", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: csv::Error,
    },
    /// The array file is not a two-dimensional array of float32 or float64.
    #[error("cannot read array `{}`, expected a float32 or float64 `.npy` of two dimensions", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: NpyError,
    },
    /// Array and rows disagree.
    #[error("`{}` has {rows} rows but {embeddings} embeddings", path.display())]
    Length {
        /// The table's folder or file.
        path: PathBuf,
        /// Rows of the CSV.
        rows: usize,
        /// Rows of the array.
        embeddings: usize,
    },
}

impl EmbeddingTable {
    /// Writes `embeddings.npy` and `rows.csv` into `folder`, which is made if absent.
    ///
    /// # Errors
    /// [`TableError::Io`] when the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), TableError> {
        let array_path = folder.join("embeddings.npy");
        let array = npy::to_bytes(self.embeddings.view());
        write_whole(&array_path, &array).map_err(io_error(&array_path))?;
        write_csv(&folder.join("rows.csv"), &self.clips)
    }

    /// Reads what [`EmbeddingTable::write`] wrote.
    ///
    /// # Errors
    /// [`TableError`] when a file is absent, malformed, or the two disagree in length.
    pub fn read(folder: &Path) -> Result<Self, TableError> {
        Self::read_parts(&folder.join("embeddings.npy"), &folder.join("rows.csv"))
    }

    /// Reads an array and its rows from two files that anybody may have written.
    ///
    /// # Errors
    /// [`TableError`] when a file is absent, malformed, or the two disagree in length.
    pub fn read_parts(array_path: &Path, rows_path: &Path) -> Result<Self, TableError> {
        let embeddings = npy::read(array_path).map_err(|error| match error {
            NpyError::Io(source) => io_error(array_path)(source),
            source => TableError::Npy { path: array_path.to_owned(), source },
        })?;
        let clips: Vec<Clip> = read_csv(rows_path)?;
        if clips.len() != embeddings.nrows() {
            return Err(TableError::Length {
                path: array_path.to_owned(),
                rows: clips.len(),
                embeddings: embeddings.nrows(),
            });
        }
        Ok(Self { clips, embeddings })
    }
}

/// Writes serialisable rows as CSV with a header; see [`to_csv`].
///
/// # Errors
/// [`TableError`] when the file cannot be written; what was there before then stays.
pub fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), TableError> {
    let table = csv_bytes(rows).map_err(csv_error(path))?;
    write_whole(path, &table).map_err(io_error(path))
}

/// Serialisable rows as CSV with a header, fields quoted where they must be.
///
/// A text that a spreadsheet would take for a formula, as a file named `=cmd|...`, gets a `'` in
/// front; [`read_csv`] takes it off again.
///
/// # Panics
/// Where a row is no row of cells: rows are flat structs of ours.
pub fn to_csv<T: Serialize>(rows: &[T]) -> String {
    let bytes = csv_bytes(rows).expect("rows are flat");
    String::from_utf8(bytes).expect("CSV of strings is text")
}

fn csv_bytes<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    let table = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    formulas::guard(table)
}

pub use formulas::guarded;

/// Reads a CSV with a header into rows.
///
/// # Errors
/// [`TableError::Csv`] at the first row that does not fit.
pub fn read_csv<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, TableError> {
    let mut reader = csv::Reader::from_path(path).map_err(csv_error(path))?;
    let headers = reader.headers().map_err(csv_error(path))?.clone();
    let row = |record: Result<StringRecord, csv::Error>| {
        formulas::unguard(record?).deserialize(Some(&headers))
    };
    reader.into_records().map(row).collect::<Result<_, _>>().map_err(csv_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TableError + '_ {
    move |source| TableError::Io { path: path.to_owned(), source }
}

fn csv_error(path: &Path) -> impl FnOnce(csv::Error) -> TableError + '_ {
    move |source| TableError::Csv { path: path.to_owned(), source }
}
