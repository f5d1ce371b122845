//! Machines have names outside, and numbers in the database.

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;

/// The number that stands for a machine.
pub(super) fn machine_id(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    let mut find = connection.prepare_cached("SELECT id FROM machine WHERE name = ?")?;
    if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.execute("INSERT INTO machine (name) VALUES (?)", [name])?;
    Ok(connection.last_insert_rowid())
}
