//! The forms of truth files, line by line.

use std::path::Path;

use csv::StringRecord;

use super::{TruthEntry, TruthError, error::io_error, row::TruthRow};
use crate::{
    Condition, DcaseName, Domain,
    names::{TableName, is_audio, section_text, stem},
    sheet::{Sheet, SheetError, TEXT, line},
};

/// Whether a file's place and name say that it holds truth.
pub(crate) fn is_truth_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| {
        let csv = name.strip_suffix(".csv");
        csv.is_some_and(|stem| {
            matches!(stem, "eval_data_list" | "ground_truth" | "truth")
                || stem.starts_with("ground_truth_")
                || stem.starts_with("attributes_")
        })
    })
}

/// All rows of one truth file.
pub(super) fn read(path: &Path) -> Result<Vec<TruthRow>, TruthError> {
    let sheet = Sheet::read(path).map_err(|error| match error {
        SheetError::Io(source) => io_error(path)(source),
        SheetError::Csv(source) => TruthError::Csv { path: path.to_owned(), source },
        SheetError::NoText { line } => {
            let found = "other bytes".to_owned();
            TruthError::Row { path: path.to_owned(), line, found, expected: TEXT }
        }
    })?;
    let mut rows = Vec::new();
    let mut file = TruthFile::new(path);
    for (index, record) in sheet.trimmed().records.iter().enumerate() {
        rows.extend(file.row(record, index == 0)?);
    }
    if rows.is_empty() {
        return Err(TruthError::NoRows { path: path.to_owned() });
    }
    Ok(rows)
}

/// What is known of a file while its lines are read.
struct TruthFile<'a> {
    path: &'a Path,
    machine: Option<String>,
    /// 2021: the domain of all rows.
    folder: Option<Domain>,
    numbers: Numbers,
    columns: Option<Vec<Column>>,
}

/// What a bare 0 or 1 stands for.
#[derive(Clone, Copy)]
enum Numbers {
    Condition,
    Domain,
}

/// What a headed column holds.
#[derive(Clone, Copy, PartialEq)]
enum Column {
    File,
    Machine,
    Section,
    Condition,
    Domain,
    Attributes,
    /// A part of the attributes: 2022's `d1p`, `d1v`, `d2p`...
    AttributePart,
    FullName,
    Group,
    Other,
}

impl<'a> TruthFile<'a> {
    fn new(path: &'a Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let parent = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy());
        let table = TableName::parse(&name, "ground_truth_");
        let beside_its_machine = name.starts_with("attributes_");
        Self {
            path,
            folder: table.as_ref().and_then(|table| table.domain),
            machine: table
                .map(|table| table.machine)
                .or_else(|| parent.clone().filter(|_| beside_its_machine).map(Into::into)),
            numbers: match parent.as_deref() {
                Some("ground_truth_domain") => Numbers::Domain,
                _ => Numbers::Condition,
            },
            columns: None,
        }
    }

    fn row(
        &mut self,
        record: &StringRecord,
        is_first: bool,
    ) -> Result<Option<TruthRow>, TruthError> {
        let cells: Vec<&str> = record.iter().collect();
        let first = cells.first().copied().unwrap_or_default();
        let rest_is_empty = cells.iter().skip(1).all(|cell| cell.is_empty());
        let names_a_clip = is_audio(first) || DcaseName::parse(first).is_some();
        match &self.columns {
            Some(columns) => self.headed_row(&columns.clone(), record).map(Some),
            None if names_a_clip => self.bare_row(record).map(Some),
            // 2020 names the machine on a line of its own.
            None if rest_is_empty && is_machine(first) => {
                self.machine = Some(first.to_owned());
                Ok(None)
            }
            None if is_first => {
                let columns: Vec<Column> = cells.iter().map(|cell| column(cell)).collect();
                let explains =
                    columns.contains(&Column::File) && columns.iter().copied().any(tells);
                self.columns = explains.then_some(columns);
                Ok(None)
            }
            None => Err(self.unexpected(record, first, "a `.wav` or `.flac` file name")),
        }
    }

    /// A row whose cells explain themselves: the name, then 0 or 1, or a full name.
    fn bare_row(&self, record: &StringRecord) -> Result<TruthRow, TruthError> {
        let mut row = self.row_of(&record[0]);
        let full_names: Vec<DcaseName> = record
            .iter()
            .skip(1)
            .filter_map(DcaseName::parse)
            .filter(|name| name.condition.is_some())
            .collect();
        for name in &full_names {
            row.imply(name);
        }
        if full_names.is_empty() {
            let found = record.get(1).unwrap_or_default();
            match self.numbers {
                Numbers::Condition => row.entry.condition = Some(self.condition(record, found)?),
                Numbers::Domain => row.entry.domain = Some(self.domain(record, found)?),
            }
        }
        Ok(row)
    }

    fn headed_row(
        &self,
        columns: &[Column],
        record: &StringRecord,
    ) -> Result<TruthRow, TruthError> {
        let cells = || columns.iter().zip(record).filter(|(_, cell)| !cell.is_empty());
        let file = cells().find(|(column, _)| **column == Column::File).map(|(_, cell)| cell);
        let Some(file) = file else {
            return Err(self.unexpected(record, "", "a file name"));
        };
        let mut row = self.row_of(file);
        let mut parts = Vec::new();
        let mut full_name = None;
        for (column, cell) in cells() {
            match column {
                Column::Machine => row.machine = Some(cell.to_owned()),
                Column::Section => row.section = Some(section_text(cell)),
                Column::Condition => row.entry.condition = Some(self.condition(record, cell)?),
                Column::Domain => row.entry.domain = Some(self.domain(record, cell)?),
                Column::Attributes => row.entry.attributes = Some(cell.to_owned()),
                Column::Group => row.entry.group = Some(cell.to_owned()),
                Column::AttributePart => parts.push(cell),
                Column::FullName => {
                    full_name = DcaseName::parse(cell);
                }
                Column::File | Column::Other => {}
            }
        }
        if let Some(name) = full_name {
            row.imply(&name);
        }
        if row.entry.attributes.is_none() && !parts.is_empty() {
            row.entry.attributes = Some(parts.join("_"));
        }
        Ok(row)
    }

    fn row_of(&self, file: &str) -> TruthRow {
        // `ToyTrain/test/section_03_0000.wav` names its machine.
        let machine = match file.split('/').collect::<Vec<_>>().as_slice() {
            [machine, "train" | "test" | "source_test" | "target_test", _] => {
                Some((*machine).to_owned())
            }
            _ => self.machine.clone(),
        };
        TruthRow {
            machine,
            section: None,
            folder: self.folder,
            stem: stem(file).to_owned(),
            entry: TruthEntry { domain: self.folder, ..TruthEntry::default() },
            implied: false,
            source: self.path.to_owned(),
        }
    }

    fn condition(&self, record: &StringRecord, cell: &str) -> Result<Condition, TruthError> {
        whole(cell).parse().map_err(|_| self.unexpected(record, cell, "0 or normal, 1 or anomaly"))
    }

    fn domain(&self, record: &StringRecord, cell: &str) -> Result<Domain, TruthError> {
        match whole(cell) {
            "0" => Ok(Domain::Source),
            "1" => Ok(Domain::Target),
            word => {
                word.parse().map_err(|_| self.unexpected(record, cell, "0 or source, 1 or target"))
            }
        }
    }

    fn unexpected(&self, record: &StringRecord, found: &str, expected: &'static str) -> TruthError {
        TruthError::Row {
            path: self.path.to_owned(),
            line: line(record),
            found: found.to_owned(),
            expected,
        }
    }
}

impl TruthRow {
    /// Adds what a full name says to what the row states.
    fn imply(&mut self, name: &DcaseName) {
        self.implied |= self.entry.condition.is_none() && name.condition.is_some();
        self.entry = std::mem::take(&mut self.entry).or(TruthEntry {
            condition: name.condition,
            domain: name.domain,
            attributes: Some(name.attributes.clone()).filter(|text| !text.is_empty()),
            group: None,
        });
    }
}

fn column(header: &str) -> Column {
    match header.to_ascii_lowercase().as_str() {
        "file" | "file_name" | "filename" | "path" | "name" | "target_file_name" => Column::File,
        "machine" | "machine_type" => Column::Machine,
        "section" | "machine_id" => Column::Section,
        "label" | "condition" | "anomaly" | "ground_truth" => Column::Condition,
        "domain" => Column::Domain,
        "attributes" | "attribute" => Column::Attributes,
        "full_name"
        | "file_name_with_attributes"
        | "file_name_with_full_attributes"
        | "source_file_name" => Column::FullName,
        "group" | "recording" | "session" | "flight" => Column::Group,
        word if is_attribute_part(word) => Column::AttributePart,
        _ => Column::Other,
    }
}

/// `d1p`, `d1v`, `d2p`...: the challenge's names for a parameter and its value.
fn is_attribute_part(word: &str) -> bool {
    matches!(word.as_bytes(), [b'd', digits @ .., b'p' | b'v']
        if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

/// Whether a column holds truth, not only names.
fn tells(column: Column) -> bool {
    !matches!(column, Column::File | Column::Machine | Column::Section | Column::Other)
}

/// `1.0` as `1`.
fn whole(cell: &str) -> &str {
    cell.strip_suffix(".0").unwrap_or(cell)
}

/// Whether a cell that stands alone may name a machine.
fn is_machine(cell: &str) -> bool {
    cell.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::row::HIDDEN_ATTRIBUTES;

    #[test]
    fn hidden_attributes_yield_to_shown_ones() {
        let path =
            Path::new("ground_truth_attributes/ground_truth_HoveringDrone_section_00_test.csv");
        let record = StringRecord::from(vec![
            "section_00_0000.wav",
            "section_00_source_test_anomaly_0037_noAttribute",
            "section_00_source_test_anomaly_0037_id_B2_spd_2_mic_1.wav",
        ]);
        let row = TruthFile::new(path).bare_row(&record).expect("a row of the official form");
        assert_eq!(row.entry.attributes.as_deref(), Some("id_B2_spd_2_mic_1"));
        assert_ne!(row.entry.attributes.as_deref(), Some(HIDDEN_ATTRIBUTES));
        assert_eq!(row.machine.as_deref(), Some("HoveringDrone"));
    }
}
