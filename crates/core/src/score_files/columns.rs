//! Which cells of a score file are names, which are numbers.

use std::path::Path;

use csv::StringRecord;

use super::error::{ScoreFileError, row_error};
use crate::{
    DcaseName, ScoreRow, formulas,
    names::is_audio,
    sheet::{Decimals, ONE_DECIMAL_MARK, Sheet, line},
};

/// Headers of columns with file names, in lower case.
const FILES: [&str; 8] =
    ["file", "file_name", "filename", "name", "path", "clip", "wav", "file name"];
/// Headers of columns with scores or decisions, in lower case.
const NUMBERS: [&str; 9] = [
    "score",
    "anomaly_score",
    "anomaly score",
    "scores",
    "value",
    "decision",
    "decision_result",
    "result",
    "prediction",
];
const PAIR: &str = "a file name and a number";
const TWO_CELLS: &str = "a file name and a number in two cells; \
    a decimal comma needs quotes around the number, or semicolons between the cells";

/// The rows of a challenge file.
pub(super) struct Cells<'a> {
    /// Line, file name, and the cell with the number.
    pub(super) rows: Vec<(u64, &'a str, &'a str)>,
    pub(super) decimals: Decimals,
}

/// Where a file has its names and numbers.
struct Columns {
    file: usize,
    number: usize,
    /// Columns there are; cells beyond them are an error.
    width: usize,
}

/// Picks the cells of a challenge file: two columns without header, or those that its header names.
pub(super) fn cells<'a>(path: &Path, sheet: &'a Sheet) -> Result<Cells<'a>, ScoreFileError> {
    let first = sheet.records.first().filter(|record| is_header(record));
    let columns = match first {
        Some(header) => named(header).ok_or_else(|| {
            let found = header.iter().collect::<Vec<_>>().join(", ");
            row_error(path, line(header), &found, "the columns `file` and `score`")
        })?,
        None => Columns { file: 0, number: 1, width: 2 },
    };
    let mut rows = Vec::with_capacity(sheet.records.len());
    for record in &sheet.records[usize::from(first.is_some())..] {
        if record.iter().skip(columns.width).any(|cell| !cell.is_empty()) {
            let found = record.iter().collect::<Vec<_>>().join(",");
            return Err(row_error(path, line(record), &found, TWO_CELLS));
        }
        match (record.get(columns.file), record.get(columns.number)) {
            (Some(file), Some(cell)) if !file.is_empty() => rows.push((line(record), file, cell)),
            (found, _) => {
                return Err(row_error(path, line(record), found.unwrap_or_default(), PAIR));
            }
        }
    }
    let numbers = rows.iter().map(|&(line, _, cell)| (line, cell));
    let decimals = sheet.decimals(numbers);
    let decimals =
        decimals.map_err(|(line, cell)| row_error(path, line, cell, ONE_DECIMAL_MARK))?;
    Ok(Cells { rows, decimals })
}

/// Whether a first row names columns: it holds no clip's name and no number.
fn is_header(record: &StringRecord) -> bool {
    record.len() > 1
        && record.iter().all(|cell| {
            cell.replace(',', ".").parse::<f64>().is_err()
                && !is_audio(cell)
                && DcaseName::parse(cell).is_none()
        })
}

/// The columns that a header names; of two columns the first and the second, whatever their names.
fn named(header: &StringRecord) -> Option<Columns> {
    let find = |known: &[&str]| {
        let mut columns = (0..header.len())
            .filter(|&column| known.contains(&header[column].to_ascii_lowercase().as_str()));
        columns.next().filter(|_| columns.next().is_none())
    };
    let width = header.len();
    match (find(&FILES), find(&NUMBERS)) {
        (Some(file), Some(number)) => Some(Columns { file, number, width }),
        _ if width == 2 => Some(Columns { file: 0, number: 1, width }),
        _ => None,
    }
}

/// Whether a sheet has the columns of our own score tables.
pub(super) fn is_score_table(sheet: &Sheet) -> bool {
    sheet.records.first().is_some_and(|header| {
        ["path", "machine", "score"].iter().all(|column| header.iter().any(|h| h.trim() == *column))
    })
}

/// The rows of one of our own score tables.
pub(super) fn table_rows(path: &Path, sheet: &Sheet) -> Result<Vec<ScoreRow>, ScoreFileError> {
    let [header, records @ ..] = sheet.records.as_slice() else { return Ok(Vec::new()) };
    let mut header = header.clone();
    header.trim();
    let score = header.iter().position(|column| column == "score").unwrap_or_default();
    let cell = |record: &StringRecord| record.get(score).unwrap_or_default().trim().to_owned();
    let cells: Vec<(u64, String)> = records.iter().map(|r| (line(r), cell(r))).collect();
    let decimals = sheet.decimals(cells.iter().map(|(line, cell)| (*line, cell.as_str())));
    let decimals =
        decimals.map_err(|(line, cell)| row_error(path, line, cell, ONE_DECIMAL_MARK))?;
    let mut rows = Vec::with_capacity(records.len());
    for (record, (line, cell)) in records.iter().zip(&cells) {
        if record.len() != header.len() {
            let found = record.iter().collect::<Vec<_>>().join(",");
            return Err(row_error(path, *line, &found, "as many cells as the header has"));
        }
        if decimals.parse(cell).is_none() {
            return Err(row_error(path, *line, cell, "a finite anomaly score"));
        }
        let plain = |(index, text): (usize, &str)| {
            if index == score { decimals.plain(text.trim()) } else { text.to_owned() }
        };
        let mut plain: StringRecord = record.iter().enumerate().map(plain).collect();
        plain.set_position(record.position().cloned());
        let row = formulas::unguard(plain).deserialize(Some(&header));
        rows.push(row.map_err(|source| ScoreFileError::Csv { path: path.to_owned(), source })?);
    }
    Ok(rows)
}
