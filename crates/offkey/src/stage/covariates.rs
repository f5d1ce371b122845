//! Quantities that scores are drawn against: numbers among a clip's attributes, and columns of a
//! table that the person names.

use std::{collections::BTreeMap, path::PathBuf};

use offkey_core::{Clip, ScoreRow, table};
use offkey_report::page::Covariate;
use serde::{Deserialize, Serialize};

use crate::{OffkeyError, open_run::Run};

/// A column of a table that scores are to be drawn against, as in `snr_db=truth.csv`.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::path::Path;
///
/// use offkey::{AgainstColumn, Silent, report};
///
/// let against = AgainstColumn { column: "snr_db".to_owned(), table: "truth.csv".into() };
/// report(Path::new("run"), offkey::PAGE_MASKS, &[against], &Silent)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgainstColumn {
    /// The column; an ending such as `_db` is its unit.
    pub column: String,
    /// A CSV whose column `file`, `name` or `path` names the clips.
    pub table: PathBuf,
}

/// One row of `covariates.csv`: one number of one test clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CovariateRow {
    covariate: String,
    machine: String,
    section: String,
    name: String,
    value: f64,
}

/// Columns that name a clip, the most telling first.
const NAMING: [&str; 3] = ["path", "file", "name"];

/// Units that end a column's name, and how they are written.
const UNITS: [(&str, &str); 6] =
    [("_db", "dB"), ("_hz", "Hz"), ("_s", "s"), ("_ms", "ms"), ("_rpm", "rpm"), ("_c", "\u{b0}C")];

impl Run<'_> {
    /// Reads the columns asked for, and keeps them in `covariates.csv` for later pages.
    pub(crate) fn add_covariates(&self, columns: &[AgainstColumn]) -> Result<(), OffkeyError> {
        if columns.is_empty() {
            return Ok(());
        }
        let path = self.folder.covariates();
        let mut rows: Vec<CovariateRow> =
            if path.is_file() { table::read_csv(&path)? } else { Vec::new() };
        for asked in columns {
            rows.retain(|row| row.covariate != asked.column);
            let values = read_column(asked)?;
            let known = self.clips.iter().filter_map(|clip| {
                let value = value_of(&values, clip)?;
                Some(CovariateRow {
                    covariate: asked.column.clone(),
                    machine: clip.machine.clone(),
                    section: clip.section.clone(),
                    name: clip.name.clone(),
                    value,
                })
            });
            let before = rows.len();
            rows.extend(known);
            if rows.len() == before {
                return Err(OffkeyError::NoCovariate {
                    column: asked.column.clone(),
                    path: asked.table.clone(),
                    problem: "no row with a number names a clip of this run".to_owned(),
                });
            }
        }
        Ok(table::write_csv(&path, &rows)?)
    }

    /// Everything the page can draw scores against.
    pub(super) fn covariates(&self, rows: &[ScoreRow]) -> Result<Vec<Covariate>, OffkeyError> {
        let mut covariates = of_attributes(rows);
        let path = self.folder.covariates();
        if path.is_file() {
            let mut named: BTreeMap<String, Vec<CovariateRow>> = BTreeMap::new();
            for row in table::read_csv::<CovariateRow>(&path)? {
                named.entry(row.covariate.clone()).or_default().push(row);
            }
            covariates.extend(named.into_iter().map(|(column, rows)| {
                let (name, unit) = split_unit(&column);
                let values = rows.into_iter();
                let values = values.map(|row| (row.machine, row.section, row.name, row.value));
                Covariate { name, unit: unit.to_owned(), values: values.collect() }
            }));
        }
        Ok(covariates)
    }
}

/// Attributes with numbers as values, as `speed_12` in `speed_12_load_3`, where they vary.
fn of_attributes(rows: &[ScoreRow]) -> Vec<Covariate> {
    let mut named: BTreeMap<&str, Vec<(String, String, String, f64)>> = BTreeMap::new();
    for ScoreRow { clip, .. } in rows {
        let words: Vec<&str> = clip.attributes.split('_').collect();
        for pair in words.chunks_exact(2) {
            if let Ok(value) = pair[1].parse::<f64>()
                && value.is_finite()
                && pair[0].parse::<f64>().is_err()
            {
                let Clip { machine, section, name, .. } = clip.clone();
                named.entry(pair[0]).or_default().push((machine, section, name, value));
            }
        }
    }
    named
        .into_iter()
        .filter(|(_, values)| values.iter().any(|value| value.3.total_cmp(&values[0].3).is_ne()))
        .map(|(name, values)| Covariate { name: name.to_owned(), unit: String::new(), values })
        .collect()
}

/// A column's name in words and its unit.
fn split_unit(column: &str) -> (String, &'static str) {
    let lower = column.to_lowercase();
    let found = UNITS.iter().find(|(ending, _)| lower.ends_with(ending));
    let (stem, unit) =
        found.map_or((column, ""), |(ending, unit)| (&column[..column.len() - ending.len()], unit));
    (stem.replace('_', " "), unit)
}

/// Values of a column by the clip each row names.
fn read_column(asked: &AgainstColumn) -> Result<BTreeMap<String, f64>, OffkeyError> {
    let failed = |problem: String| OffkeyError::NoCovariate {
        column: asked.column.clone(),
        path: asked.table.clone(),
        problem,
    };
    let mut reader = csv::Reader::from_path(&asked.table)
        .map_err(|source| failed(format!("it cannot be read: {source}")))?;
    let headers =
        reader.headers().map_err(|source| failed(format!("it is no CSV: {source}")))?.clone();
    let position = |name: &str| headers.iter().position(|header| header.trim() == name);
    let column = position(&asked.column).ok_or_else(|| {
        let found: Vec<&str> = headers.iter().collect();
        failed(format!("there is no such column among: {}", found.join(", ")))
    })?;
    let naming = NAMING.iter().find_map(|name| position(name)).ok_or_else(|| {
        failed(format!("none of its columns is called {}, to name the clips", NAMING.join(", ")))
    })?;
    let mut values = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|source| failed(format!("it is no CSV: {source}")))?;
        let (name, value) = (record.get(naming), record.get(column));
        if let (Some(name), Some(Ok(value))) = (name, value.map(|text| text.trim().parse::<f64>()))
            && value.is_finite()
        {
            values.insert(name.trim().replace('\\', "/"), value);
        }
    }
    Ok(values)
}

/// The value of a clip: by its path, the end of it, or its name.
fn value_of(values: &BTreeMap<String, f64>, clip: &Clip) -> Option<f64> {
    let path = clip.path.to_string_lossy().replace('\\', "/");
    let mut rest = path.as_str();
    loop {
        if let Some(value) = values.get(rest) {
            return Some(*value);
        }
        rest = rest.split_once('/')?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_ends_a_name() {
        assert_eq!(split_unit("snr_db"), ("snr".to_owned(), "dB"));
        assert_eq!(
            split_unit("bearing_temperature_C"),
            ("bearing temperature".to_owned(), "\u{b0}C")
        );
        assert_eq!(split_unit("load"), ("load".to_owned(), ""));
    }
}
