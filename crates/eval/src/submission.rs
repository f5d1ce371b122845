//! The challenge's own score and decision files.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use offkey_core::{Domain, ScoreRow, Year, stems::file_part, write_whole};

use crate::EvalError;

/// Writes `anomaly_score_<machine>_section_<section>_test.csv` and, where every clip of a file has
/// a decision, `decision_result_...` into `folder`, which is made if absent: lines of name and
/// score, or name and 0 or 1, without header, sorted by name. Returns the files written, sorted.
///
/// 2020 has `_id_<section>` and no suffix, 2021 `_source_test` and `_target_test`. Characters that a
/// file system might not take become `_` in names of machines and sections.
///
/// # Errors
/// [`EvalError::Write`] when the folder cannot be written.
pub fn write_submission(
    rows: &[ScoreRow],
    year: Option<Year>,
    folder: &Path,
) -> Result<Vec<PathBuf>, EvalError> {
    let mut files: BTreeMap<String, Vec<&ScoreRow>> = BTreeMap::new();
    for row in rows {
        files.entry(file_stem(row, year)).or_default().push(row);
    }
    let mut written = BTreeSet::new();
    for (stem, mut rows) in files {
        rows.sort_by(|a, b| a.clip.name.cmp(&b.clip.name));
        let scores = rows.iter().map(|row| (row.clip.name.as_str(), row.score.to_string()));
        written.insert(write_lines(&folder.join(format!("anomaly_score_{stem}.csv")), scores)?);
        let decisions: Option<Vec<_>> = rows
            .iter()
            .map(|row| Some((row.clip.name.as_str(), u8::from(row.decision?).to_string())))
            .collect();
        if let Some(decisions) = decisions {
            let path = folder.join(format!("decision_result_{stem}.csv"));
            written.insert(write_lines(&path, decisions.into_iter())?);
        }
    }
    Ok(written.into_iter().collect())
}

fn file_stem(row: &ScoreRow, year: Option<Year>) -> String {
    let (machine, section) = (file_part(&row.clip.machine), file_part(&row.clip.section));
    match (year, row.clip.domain) {
        (Some(Year::Y2020), _) => format!("{machine}_id_{section}"),
        (Some(Year::Y2021), Some(domain @ (Domain::Source | Domain::Target))) => {
            format!("{machine}_section_{section}_{domain}_test")
        }
        _ => format!("{machine}_section_{section}_test"),
    }
}

fn write_lines<'a>(
    path: &Path,
    lines: impl Iterator<Item = (&'a str, String)>,
) -> Result<PathBuf, EvalError> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for (name, value) in lines {
        let written = writer.write_record([name, &value]);
        written.map_err(|source| write_error(path)(io::Error::from(source)))?;
    }
    let text = writer.into_inner().map_err(|error| write_error(path)(error.into_error()))?;
    write_whole(path, &text).map_err(write_error(path))?;
    Ok(path.to_owned())
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> EvalError + '_ {
    move |source| EvalError::Write { path: path.to_owned(), source }
}
