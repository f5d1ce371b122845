//! Cells that a spreadsheet would take for formulas.
//!
//! Names of files and machines may come from anybody. A cell that begins with `=`, `+`, `-`, `@`, a
//! tab or a carriage return may be run as a formula when a table is opened; a `'` in front makes it
//! text. Numbers stay as they are. A cell that begins with such marks already gets one more, so that
//! taking one off gives back what was there.
//!
//! # Source
//! OWASP, "CSV Injection".

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord, Writer};

/// Guards the cells of a finished table; one that has none to guard stays as it is.
pub(crate) fn guard(table: Vec<u8>) -> Result<Vec<u8>, csv::Error> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&table[..]);
    let records: Vec<StringRecord> = reader.records().collect::<Result<_, _>>()?;
    if !records.iter().flatten().any(is_formula) {
        return Ok(table);
    }
    let mut writer = Writer::from_writer(Vec::with_capacity(table.len() + 64));
    for record in &records {
        writer.write_record(record.iter().map(|cell| guarded(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A cell that no spreadsheet takes for a formula.
pub fn guarded(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// What [`guard`] made of a record, as it was.
pub(crate) fn unguard(record: StringRecord) -> StringRecord {
    let guarded = |cell: &str| cell.strip_prefix('\'').is_some_and(is_formula);
    if !record.iter().any(guarded) {
        return record;
    }
    let cells = record.iter().map(|cell| if guarded(cell) { &cell[1..] } else { cell });
    let mut plain: StringRecord = cells.collect();
    plain.set_position(record.position().cloned());
    plain
}

fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
        && cell.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(cells: &[String]) -> Vec<u8> {
        let mut writer = Writer::from_writer(Vec::new());
        writer.write_record(["name", "score"]).expect("memory takes it");
        for cell in cells {
            writer.write_record([cell, "-0.5"]).expect("memory takes it");
        }
        writer.into_inner().expect("memory takes it")
    }

    #[test]
    fn formulas_become_text_and_numbers_stay_numbers() {
        let names = ["=cmd|' /C calc'!A0", "-rf.wav", "@x", "+1+2", "a=b", "pump", "'=x"];
        let guarded = guard(table(&names.map(str::to_owned))).expect("a table");
        let text = String::from_utf8(guarded).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "name,score",
                "'=cmd|' /C calc'!A0,-0.5",
                "'-rf.wav,-0.5",
                "'@x,-0.5",
                "'+1+2,-0.5",
                "a=b,-0.5",
                "pump,-0.5",
                "''=x,-0.5"
            ]
        );
    }

    #[test]
    fn a_table_without_formulas_keeps_its_bytes() {
        let before = table(&["a, \"b\"".to_owned(), String::new(), "line\nbreak".to_owned()]);
        assert_eq!(guard(before.clone()).expect("a table"), before);
    }

    proptest! {
        #[test]
        fn what_is_guarded_comes_back_and_no_cell_is_a_formula(
            names in prop::collection::vec("[-='+@\t\ra1. \",]{0,6}", 1..6)
        ) {
            let guarded = guard(table(&names)).expect("a table");
            let mut reader = csv::Reader::from_reader(&guarded[..]);
            for (record, name) in reader.records().zip(&names) {
                let record = record.expect("a row");
                let cell = &record[0];
                let harmless = !cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                prop_assert!(harmless || cell.parse::<f64>().is_ok(), "{cell:?}");
                prop_assert_eq!(&unguard(record)[0], name.as_str());
            }
        }
    }
}
