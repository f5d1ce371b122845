//! Anomaly scores written by anybody: the challenge's score and decision files, and our own tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use csv::StringRecord;

use crate::{
    Clip, DcaseName, Domain, ScoreRow, Split, TableError, Truth,
    names::{TableName, is_audio, stem},
    table,
};

const SCORES: &str = "anomaly_score_";
const DECISIONS: &str = "decision_result_";

/// Why score files could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreFileError {
    /// The file system refused.
    #[error("cannot access `{}`", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is no CSV.
    #[error("cannot read score file `{}`", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause, with its line.
        source: csv::Error,
    },
    /// One of our own score tables is malformed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file's name does not say whose scores it holds.
    #[error(
        "cannot tell machine and section of `{}`, expected a name like \
        `anomaly_score_<machine>_section_<00>.csv` or columns `path`, `machine`, `section`, `score`",
        path.display()
    )]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A row is no pair of file name and number.
    #[error("`{}` line {line}: found `{found}`, expected {expected}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// A clip has two scores, say from two trials in one folder.
    #[error("`{file}` of {machine} {section} is scored twice, the second time in `{}`", path.display())]
    Twice {
        /// The clip's machine.
        machine: String,
        /// The clip's section.
        section: String,
        /// The clip's file name.
        file: String,
        /// Where the second score stands.
        path: PathBuf,
    },
    /// A decision file speaks of a clip that no score file has.
    #[error("`{}` decides on `{file}`, which has no score", path.display())]
    DecisionWithoutScore {
        /// The decision file.
        path: PathBuf,
        /// The clip's file name.
        file: String,
    },
    /// A folder holds no score file.
    #[error(
        "no scores in `{}`, looked for `anomaly_score_*.csv` and CSV files with the columns \
        `machine` and `score`",
        path.display()
    )]
    NothingFound {
        /// The folder.
        path: PathBuf,
    },
}

/// Reads one score file, or every score file of a folder; the rows are sorted by machine, section,
/// domain and name.
///
/// Understood are the challenge's `anomaly_score_<machine>_section_SS[_...].csv` (name, score) with
/// its `decision_result_...` beside (name, 0 or 1), with or without header, with prefixes and
/// suffixes ([`TableName::parse`]); and CSV files of [`ScoreRow`]s. Where a folder holds both, as
/// our own run folders do, the latter are read, since they say more. What challenge files do not
/// say of a clip its file name says, else [`score_rows`] joins the truth.
///
/// # Errors
/// [`ScoreFileError`] when nothing could be read, a row is malformed, or a clip is scored twice.
pub fn read_score_files(path: &Path) -> Result<Vec<ScoreRow>, ScoreFileError> {
    let files = score_files(path)?;
    let tables: Vec<&PathBuf> = files.iter().filter(|file| is_score_table(file)).collect();
    let mut scores = Scores::default();
    for file in &tables {
        for row in table::read_csv::<ScoreRow>(file)? {
            scores.insert(row, file)?;
        }
    }
    if tables.is_empty() {
        for file in files.iter().filter(|file| kind(file) != Some(DECISIONS)) {
            challenge_scores(file, &mut scores)?;
        }
        for file in files.iter().filter(|file| kind(file) == Some(DECISIONS)) {
            challenge_decisions(file, &mut scores)?;
        }
    }
    if scores.0.is_empty() {
        return Err(ScoreFileError::NothingFound { path: path.to_owned() });
    }
    Ok(scores.0.into_values().collect())
}

/// Scores joined, by file name, with what truth says of their clips, in the order of `scores`.
///
/// What a row says already stays; a clip of unknown label stays in without one.
pub fn score_rows(scores: &[ScoreRow], truth: Option<&Truth>) -> Vec<ScoreRow> {
    let mut rows = scores.to_vec();
    if let Some(truth) = truth {
        for row in &mut rows {
            if let Some(entry) = truth.of_clip(&row.clip) {
                row.clip.fill(entry);
            }
        }
    }
    rows
}

/// Identifies a clip among scores: machine, section, domain of the score file, name without extension.
type ClipKey = (String, String, Option<Domain>, String);

#[derive(Default)]
struct Scores(BTreeMap<ClipKey, ScoreRow>);

impl Scores {
    fn insert(&mut self, row: ScoreRow, path: &Path) -> Result<(), ScoreFileError> {
        let clip = &row.clip;
        let key = (
            clip.machine.clone(),
            clip.section.clone(),
            clip.domain,
            without_extension(&clip.name),
        );
        match self.0.insert(key, row) {
            None => Ok(()),
            Some(first) => Err(ScoreFileError::Twice {
                machine: first.clip.machine,
                section: first.clip.section,
                file: first.clip.name,
                path: path.to_owned(),
            }),
        }
    }
}

/// The CSV files that may hold scores: the file itself with its decisions, or a folder's, sorted.
fn score_files(path: &Path) -> Result<Vec<PathBuf>, ScoreFileError> {
    if fs::metadata(path).map_err(io_error(path))?.is_file() {
        let name = file_name(path);
        let decisions = path.with_file_name(name.replacen(SCORES, DECISIONS, 1));
        let beside = name.contains(SCORES) && decisions.is_file();
        return Ok([Some(path.to_owned()), beside.then_some(decisions)]
            .into_iter()
            .flatten()
            .collect());
    }
    let entries: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(io_error(path))?;
    let files: BTreeSet<PathBuf> = entries
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "csv"))
        .filter(|file| kind(file).is_some() || is_score_table(file))
        .collect();
    Ok(files.into_iter().collect())
}

fn kind(path: &Path) -> Option<&'static str> {
    let name = file_name(path);
    [SCORES, DECISIONS].into_iter().find(|marker| name.contains(marker))
}

/// Whether a CSV file has the columns of our own score tables.
fn is_score_table(path: &Path) -> bool {
    let headers = csv::Reader::from_path(path).and_then(|mut reader| reader.headers().cloned());
    headers.is_ok_and(|headers| {
        ["path", "machine", "score"].iter().all(|column| headers.iter().any(|h| h == *column))
    })
}

fn challenge_scores(path: &Path, scores: &mut Scores) -> Result<(), ScoreFileError> {
    let table = table_name(path, SCORES)?;
    for (line, file, cell) in name_and_number(path)? {
        let score: f64 =
            cell.parse().ok().filter(|score: &f64| score.is_finite()).ok_or_else(|| {
                ScoreFileError::Row {
                    path: path.to_owned(),
                    line,
                    found: cell.clone(),
                    expected: "a finite anomaly score",
                }
            })?;
        scores.insert(ScoreRow { clip: clip_of(&table, &file), score, decision: None }, path)?;
    }
    Ok(())
}

fn challenge_decisions(path: &Path, scores: &mut Scores) -> Result<(), ScoreFileError> {
    let table = table_name(path, DECISIONS)?;
    for (line, file, cell) in name_and_number(path)? {
        let decision = match cell.strip_suffix(".0").unwrap_or(&cell) {
            "0" => false,
            "1" => true,
            found => {
                return Err(ScoreFileError::Row {
                    path: path.to_owned(),
                    line,
                    found: found.to_owned(),
                    expected: "the decision 0 or 1",
                });
            }
        };
        let clip = clip_of(&table, &file);
        let key = (clip.machine, clip.section, clip.domain, without_extension(&clip.name));
        let Some(row) = scores.0.get_mut(&key) else {
            return Err(ScoreFileError::DecisionWithoutScore { path: path.to_owned(), file });
        };
        row.decision = Some(decision);
    }
    Ok(())
}

fn table_name(path: &Path, marker: &str) -> Result<TableName, ScoreFileError> {
    TableName::parse(&file_name(path), marker)
        .ok_or_else(|| ScoreFileError::Name { path: path.to_owned() })
}

/// The lines of a challenge file: line number, file name, the cell beside it.
fn name_and_number(path: &Path) -> Result<Vec<(u64, String, String)>, ScoreFileError> {
    let text = fs::read_to_string(path).map_err(io_error(path))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record: StringRecord =
            record.map_err(|source| ScoreFileError::Csv { path: path.to_owned(), source })?;
        let line = record.position().map_or(0, csv::Position::line);
        match (record.get(0), record.get(1)) {
            (Some(file), Some(cell)) if index == 0 && is_header(file, cell) => {}
            (Some(file), Some(cell)) => rows.push((line, file.to_owned(), cell.to_owned())),
            (found, _) => {
                return Err(ScoreFileError::Row {
                    path: path.to_owned(),
                    line,
                    found: found.unwrap_or_default().to_owned(),
                    expected: "a file name and a number",
                });
            }
        }
    }
    Ok(rows)
}

fn is_header(file: &str, cell: &str) -> bool {
    cell.parse::<f64>().is_err() && !is_audio(file) && DcaseName::parse(file).is_none()
}

/// A scored clip, from the names of its score file and of itself. Its path is what is known of it:
/// the file name, in one of 2021's test folders where the score file names one.
fn clip_of(table: &TableName, file: &str) -> Clip {
    let file_name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = DcaseName::parse(file_name);
    let folder = table.domain.map(|domain| format!("{domain}_test")).unwrap_or_default();
    Clip {
        path: Path::new(&folder).join(file_name),
        name: file_name.to_owned(),
        machine: table.machine.clone(),
        section: table.section.clone(),
        domain: table.domain.or(name.as_ref().and_then(|name| name.domain)),
        split: Split::Test,
        condition: name.as_ref().and_then(|name| name.condition),
        attributes: name.map(|name| name.attributes).unwrap_or_default(),
        group: file_name.to_owned(),
    }
}

/// A clip's name with its folders but without its audio extension.
fn without_extension(name: &str) -> String {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    name[..name.len() - file_name.len() + stem(file_name).len()].to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ScoreFileError + '_ {
    move |source| ScoreFileError::Io { path: path.to_owned(), source }
}
