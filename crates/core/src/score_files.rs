//! Anomaly scores written by anybody: the challenge's score and decision files, and our own tables.

mod columns;
mod error;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Clip, DcaseName, Domain, ScoreRow, Split, Truth,
    names::{TableName, stem},
    sheet::{Sheet, SheetError, TEXT},
};
use columns::{Cells, cells, is_score_table, table_rows};
use error::{io_error, row_error};

pub use error::{ScoreFileError, Unused};

const SCORES: &str = "anomaly_score_";
const DECISIONS: &str = "decision_result_";

/// Scores as files have them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoreFiles {
    /// The scored clips, sorted by machine, section, domain and name.
    pub rows: Vec<ScoreRow>,
    /// What was there and not used.
    pub unused: Vec<Unused>,
}

/// Reads one score file, or every score file of a folder.
///
/// Understood are the challenge's `anomaly_score_<machine>_section_SS[_...].csv` (name, score) with
/// its `decision_result_...` beside (name, 0 or 1), with or without header, with prefixes and
/// suffixes ([`TableName::parse`]); and CSV files of [`ScoreRow`]s. Where a folder holds both, as
/// our own run folders do, the latter are read, since they say more. What challenge files do not
/// say of a clip its file name says, else [`score_rows`] joins the truth.
///
/// Semicolons and tabs part cells as well as commas; decimal commas are read where no cell has a
/// point, UTF-16 where it has its mark. A row with more cells than the file has columns, as
/// `a.wav,0,5`, is an error.
///
/// # Errors
/// [`ScoreFileError`] when nothing could be read, a row is malformed, or a clip is scored twice.
pub fn read_score_files(path: &Path) -> Result<ScoreFiles, ScoreFileError> {
    let (files, mut unused) = score_files(path)?;
    let mut sheets = Vec::new();
    for file in files {
        let sheet = read_sheet(&file)?;
        if sheet.blank_rows > 0 {
            unused.push(Unused::EmptyRows { file: file.clone(), rows: sheet.blank_rows });
        }
        sheets.push((file, sheet));
    }
    let (tables, challenge): (Vec<_>, Vec<_>) =
        sheets.into_iter().partition(|(_, sheet)| is_score_table(sheet));
    let mut scores = Scores::default();
    for (file, sheet) in &tables {
        for row in table_rows(file, sheet)? {
            scores.insert(with_what_names_say(row), file)?;
        }
    }
    let (named, others): (Vec<_>, Vec<_>) =
        challenge.into_iter().partition(|(file, _)| kind(file).is_some());
    let named: Vec<_> = named.into_iter().map(|(file, sheet)| (file, sheet.trimmed())).collect();
    unused.extend(others.into_iter().map(|(file, _)| not_used(file, NO_SCORES)));
    if tables.is_empty() {
        let (decisions, challenge): (Vec<_>, Vec<_>) =
            named.iter().partition(|(file, _)| kind(file) == Some(DECISIONS));
        for (file, sheet) in challenge {
            challenge_scores(file, sheet, &mut scores)?;
        }
        for (file, sheet) in decisions {
            challenge_decisions(file, sheet, &mut scores)?;
        }
    } else {
        unused.extend(named.into_iter().map(|(file, _)| not_used(file, TABLES_SAY_MORE)));
    }
    if scores.0.is_empty() {
        return Err(ScoreFileError::NothingFound { path: path.to_owned() });
    }
    unused.sort();
    Ok(ScoreFiles { rows: scores.0.into_values().collect(), unused })
}

const NO_SCORES: &str =
    "it has neither the columns `path`, `machine`, `score` nor a name like `anomaly_score_*.csv`";
const TABLES_SAY_MORE: &str = "the tables beside it say more of each clip";

fn not_used(file: PathBuf, reason: &str) -> Unused {
    Unused::File { file, reason: reason.to_owned() }
}

/// Scores joined, by file name, with what truth says of their clips, in the order of `scores`; and
/// what of the truth was not used.
///
/// What a row says already stays; a clip of unknown label stays in without one. Machines whose names
/// differ from the truth's in case alone are the same.
pub fn score_rows(scores: &[ScoreRow], truth: Option<&Truth>) -> (Vec<ScoreRow>, Vec<Unused>) {
    let mut rows = scores.to_vec();
    let Some(truth) = truth else { return (rows, Vec::new()) };
    let machines: BTreeSet<&str> = scores.iter().map(|row| row.clip.machine.as_str()).collect();
    let named = truth.named_as(&machines);
    for row in &mut rows {
        if let Some(entry) = named.of_clip(&row.clip) {
            row.clip.fill(entry);
        }
    }
    let unused = truth.unused(scores.iter().map(|row| &row.clip)).into_iter().map(|unused| {
        let crate::truth::UnusedTruth { file, rows, of, example, .. } = unused;
        Unused::TruthRows { file, rows, of, example }
    });
    let doubtful = truth.doubtful_files().iter();
    let doubtful =
        doubtful.map(|(file, rows)| Unused::DoubtfulTruth { file: file.clone(), rows: *rows });
    let unused = unused.chain(doubtful).collect();
    (rows, unused)
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

/// The CSV files that may hold scores: the file itself with its decisions, or a folder's, sorted;
/// and the other tables of the folder.
fn score_files(path: &Path) -> Result<(Vec<PathBuf>, Vec<Unused>), ScoreFileError> {
    if fs::metadata(path).map_err(io_error(path))?.is_file() {
        let name = file_name(path);
        let decisions = path.with_file_name(name.replacen(SCORES, DECISIONS, 1));
        let beside = name.contains(SCORES) && decisions.is_file();
        let files = [Some(path.to_owned()), beside.then_some(decisions)];
        return Ok((files.into_iter().flatten().collect(), Vec::new()));
    }
    let entries: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(io_error(path))?;
    let files = entries.into_iter().filter(|file| {
        let hidden = file.file_name().is_some_and(crate::walk::is_hidden);
        !hidden && file.is_file()
    });
    let (mut tables, mut others) = (BTreeSet::new(), Vec::new());
    for file in files {
        let extension = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("csv") => {
                tables.insert(file);
            }
            Some("tsv" | "txt") if kind(&file).is_some() => {
                others.push(not_used(file, "score files end in `.csv`"));
            }
            _ => {}
        }
    }
    Ok((tables.into_iter().collect(), others))
}

fn read_sheet(path: &Path) -> Result<Sheet, ScoreFileError> {
    Sheet::read(path).map_err(|error| match error {
        SheetError::Io(source) => io_error(path)(source),
        SheetError::Csv(source) => ScoreFileError::Csv { path: path.to_owned(), source },
        SheetError::NoText { line } => row_error(path, line, "other bytes", TEXT),
    })
}

fn kind(path: &Path) -> Option<&'static str> {
    let name = file_name(path).to_ascii_lowercase();
    [SCORES, DECISIONS].into_iter().find(|marker| name.contains(marker))
}

fn challenge_scores(path: &Path, sheet: &Sheet, scores: &mut Scores) -> Result<(), ScoreFileError> {
    let table = table_name(path, SCORES)?;
    let Cells { rows, decimals } = cells(path, sheet)?;
    for (line, file, cell) in rows {
        let score = decimals.parse(cell);
        let score = score.ok_or_else(|| row_error(path, line, cell, "a finite anomaly score"))?;
        scores.insert(ScoreRow { clip: clip_of(&table, file), score, decision: None }, path)?;
    }
    Ok(())
}

fn challenge_decisions(
    path: &Path,
    sheet: &Sheet,
    scores: &mut Scores,
) -> Result<(), ScoreFileError> {
    let table = table_name(path, DECISIONS)?;
    let Cells { rows, decimals } = cells(path, sheet)?;
    for (line, file, cell) in rows {
        let plain = decimals.plain(cell);
        let decision = match plain.strip_suffix(".0").unwrap_or(&plain) {
            "0" => false,
            "1" => true,
            _ => return Err(row_error(path, line, cell, "the decision 0 or 1")),
        };
        let clip = clip_of(&table, file);
        let key = (clip.machine, clip.section, clip.domain, without_extension(&clip.name));
        let Some(row) = scores.0.get_mut(&key) else {
            let file = file.to_owned();
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

/// A row of a table that leaves label, domain or attributes to the challenge's name of the clip.
fn with_what_names_say(mut row: ScoreRow) -> ScoreRow {
    let clip = &mut row.clip;
    let file_name = file_name(&clip.path);
    if let Some(name) = DcaseName::parse(&file_name) {
        clip.condition = clip.condition.or(name.condition);
        clip.domain = clip.domain.or(name.domain);
        if clip.attributes.is_empty() {
            clip.attributes = name.attributes;
        }
    }
    row
}

/// A clip's name with its folders but without its audio extension.
fn without_extension(name: &str) -> String {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    name[..name.len() - file_name.len() + stem(file_name).len()].to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
