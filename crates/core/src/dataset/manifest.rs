//! Manifests: a CSV with one clip a row, made by anybody.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{DataError, Problem, error::io_error, folder::Placed};
use crate::{
    Clip, Condition, DcaseName, Split,
    clip::ClipRow,
    formulas,
    names::section_text,
    sheet::{Sheet, SheetError, line},
};

/// The columns of a manifest; only `path` must be there.
const COLUMNS: [&str; 9] =
    ["path", "name", "machine", "section", "domain", "split", "label", "attributes", "group"];

/// Whether a file is a CSV with a `path` column and at least one other that manifests have.
pub(super) fn is_manifest(path: &Path) -> bool {
    let headers = Sheet::read(path).ok().and_then(|s| s.trimmed().records.into_iter().next());
    headers.is_some_and(|headers| {
        let known = headers.iter().filter(|header| COLUMNS.contains(header)).count();
        headers.iter().any(|header| header == "path") && known >= 2
    })
}

/// Reads a manifest. What its cells leave open, challenge file names fill in.
pub(super) fn read(path: &Path) -> Result<(Vec<Placed>, Vec<Problem>), DataError> {
    let csv_error = |source| DataError::Csv { path: path.to_owned(), source };
    let sheet = Sheet::read(path).map_err(|error| match error {
        SheetError::Io(source) => io_error(path)(source),
        SheetError::Csv(source) => csv_error(source),
        SheetError::NoText { line } => DataError::NoText { path: path.to_owned(), line },
    })?;
    let mut records = sheet.trimmed().records.into_iter();
    let headers = records.next().unwrap_or_default();
    if !headers.iter().any(|header| header == "path") {
        let found = headers.iter().map(str::to_owned).collect();
        return Err(DataError::NoPathColumn { path: path.to_owned(), found });
    }
    let mut problems = Vec::new();
    let unknown: Vec<String> =
        headers.iter().filter(|header| !COLUMNS.contains(header)).map(str::to_owned).collect();
    if !unknown.is_empty() {
        problems.push(Problem::UnknownColumns { manifest: path.to_owned(), columns: unknown });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut placed = Vec::new();
    let mut missing = Vec::new();
    for mut record in records {
        let line = line(&record);
        if record.len() < headers.len() || record.iter().skip(headers.len()).any(|c| !c.is_empty())
        {
            let (found, expected) = (record.len(), headers.len());
            return Err(DataError::Cells { path: path.to_owned(), line, found, expected });
        }
        record.truncate(headers.len());
        let row: ClipRow =
            formulas::unguard(record).deserialize(Some(&headers)).map_err(csv_error)?;
        let relative = row.path.to_string_lossy().replace('\\', "/");
        let (own_name, own_group) = (row.name.clone(), row.group.clone());
        let mut clip = Clip::try_from(row).map_err(|source| DataError::Row {
            path: path.to_owned(),
            line,
            source,
        })?;
        clip.path = folder.join(&clip.path);
        if !clip.path.exists() {
            // A manifest from a system that writes `\`.
            clip.path = folder.join(&relative);
        }
        let Ok(real) = fs::canonicalize(&clip.path) else {
            missing.push(clip.path);
            continue;
        };
        let challenge = complete(&mut clip, folder);
        clip.group = own_group;
        let relative = if own_name.is_empty() { relative } else { own_name };
        placed.push(Placed { clip, real, relative, challenge, problem: None });
    }
    if let (Some(first), true) = (missing.first(), placed.is_empty()) {
        let (rows, first) = (missing.len(), first.clone());
        return Err(DataError::AllMissing { path: path.to_owned(), rows, first });
    }
    problems.extend(
        missing
            .into_iter()
            .map(|file| Problem::MissingFile { manifest: path.to_owned(), path: file }),
    );
    Ok((placed, problems))
}

/// Fills empty cells from a challenge name; says whether there was one.
fn complete(clip: &mut Clip, folder: &Path) -> bool {
    let file_name = clip.path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = file_name.as_deref().and_then(DcaseName::parse);
    let challenge = name.is_some();
    if clip.machine.is_empty() {
        clip.machine = folder_name(folder);
    }
    if let Some(name) = name {
        if clip.section.is_empty() {
            clip.section = name.section;
        }
        if clip.attributes.is_empty() {
            clip.attributes = name.attributes;
        }
        clip.domain = clip.domain.or(name.domain);
        clip.condition = clip.condition.or(name.condition);
        match (clip.split, name.split) {
            (_, Some(Split::Supplemental)) => clip.split = Split::Supplemental,
            (Split::Unassigned, Some(split)) => clip.split = split,
            _ => {}
        }
    }
    if clip.split == Split::Train && clip.condition.is_none() {
        clip.condition = Some(Condition::Normal);
    }
    clip.section = section_text(&clip.section);
    challenge
}

fn folder_name(folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| PathBuf::from("machine"));
    real.file_name()
        .map_or_else(|| "machine".to_owned(), |name| name.to_string_lossy().into_owned())
}
