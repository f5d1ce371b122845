//! The database file, as it has to be opened.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::{error::StoreError, schema};

/// Bytes of a page of a new database.
const PAGE_BYTES: u32 = 1024;

/// Opens the database, or makes it, and brings it to today's form.
///
/// # Errors
/// [`StoreError`] when it is damaged, of a later version, or cannot be used.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(32);
    // A window changes some hundred bytes in each of six pages, and the log takes whole pages: small ones
    // wear a memory card less. A store that is there already keeps its own.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is removed shall not be readable in the file afterwards.
    connection.pragma_update(None, "secure_delete", "ON")?;
    // The log is cut back after a burst, so that it does not hold the disk.
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(damage(&check));
    }
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn damage(what: &str) -> StoreError {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    StoreError::Sql(rusqlite::Error::SqliteFailure(code, Some(what.to_owned())))
}

/// Whether the file itself is damaged.
pub(crate) fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Sql(rusqlite::Error::SqliteFailure(code, _))
            if matches!(code.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
