//! A damaged database is set aside, and what can be read of it goes into a new one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};

use super::{database, error::StoreError};

/// What is taken over, the most precious first.
const TABLES: [&str; 11] = [
    "machine", "state", "position", "outbox", "event", "feedback", "clip", "counter", "rollup",
    "beside", "score",
];

/// Sets the database aside and opens a new one with all that could be read; says what it did.
pub(super) fn repair(path: &Path) -> Result<(Connection, String), StoreError> {
    let aside = free_name(path);
    for end in ["", "-wal", "-shm"] {
        let from = with_end(path, end);
        match fs::rename(&from, with_end(&aside, end)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Io { path: from, source });
            }
            _ => {}
        }
    }
    let mut connection = database::open(path)?;
    let (mut taken, mut cut) = (0, Vec::new());
    for table in TABLES {
        let (rows, whole) = take_over(&mut connection, &aside, table)?;
        taken += rows;
        if !whole {
            cut.push(table);
        }
    }
    let lost = if cut.is_empty() {
        "every table was read to its end".to_owned()
    } else {
        format!("not everything could be read of: {}", cut.join(", "))
    };
    let report = format!(
        "the database was damaged: {taken} rows were taken over, {lost}; the damaged one is kept as `{}`",
        aside.display()
    );
    Ok((connection, report))
}

/// Copies a table as far as it can be read: its rows, and whether that was to the end.
fn take_over(
    connection: &mut Connection,
    aside: &Path,
    table: &str,
) -> Result<(usize, bool), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(old) = Connection::open_with_flags(aside, flags) else { return Ok((0, false)) };
    let transaction = connection.transaction()?;
    let mut rows = 0;
    let mut whole = true;
    {
        let select = format!("SELECT * FROM {table}");
        let Ok(mut statement) = old.prepare(&select) else { return Ok((0, false)) };
        let width = statement.column_count();
        let marks = vec!["?"; width].join(",");
        let mut insert =
            transaction.prepare(&format!("INSERT OR IGNORE INTO {table} VALUES ({marks})"))?;
        let Ok(mut found) = statement.query([]) else { return Ok((0, false)) };
        loop {
            match found.next() {
                Ok(Some(row)) => {
                    let cells: Result<Vec<Value>, _> = (0..width).map(|c| row.get(c)).collect();
                    let Ok(cells) = cells else {
                        whole = false;
                        continue;
                    };
                    // A row that breaks the new table's rules is damage as well.
                    match insert.execute(params_from_iter(cells)) {
                        Ok(inserted) => rows += inserted,
                        Err(_) => whole = false,
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
    }
    transaction.commit()?;
    Ok((rows, whole))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// A name beside the database that no earlier repair has taken.
fn free_name(path: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = with_end(path, &format!(".damaged-{number}"));
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}
