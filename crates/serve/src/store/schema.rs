//! The tables, and the way from every earlier form of them to today's.

use rusqlite::Connection;

use super::error::StoreError;

/// Each step leads from one form to the next; the database counts them in `user_version`. A step that has
/// been released is never changed.
const STEPS: [&str; 3] = [FIRST, SECOND, THIRD];

const FIRST: &str = "
CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- One row per window. verdict: 0 normal, 1 cannot tell, 2 suspicious, 3 alarm, 4 not judged.
CREATE TABLE score (
  machine INTEGER NOT NULL, at_ms INTEGER NOT NULL, score REAL, p_value REAL, level_db REAL,
  verdict INTEGER NOT NULL, PRIMARY KEY (machine, at_ms)) WITHOUT ROWID;
-- Windows of a minute, hour or day: `span_s` seconds from `at_s` on.
CREATE TABLE rollup (
  machine INTEGER NOT NULL, span_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
  windows INTEGER NOT NULL, judged INTEGER NOT NULL, alarms INTEGER NOT NULL,
  score_sum REAL NOT NULL, score_max REAL, p_min REAL, level_sum REAL NOT NULL, level_max REAL,
  PRIMARY KEY (machine, span_s, at_s)) WITHOUT ROWID;
CREATE TABLE event (
  id TEXT PRIMARY KEY, machine INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
  alarm INTEGER, reason TEXT NOT NULL, score REAL, p_value REAL, clip TEXT, who TEXT) WITHOUT ROWID;
CREATE INDEX event_time ON event (machine, at_ms);
CREATE TABLE state (machine INTEGER PRIMARY KEY, saved_ms INTEGER NOT NULL, state TEXT NOT NULL);
-- Where a source stands: what has been judged already.
CREATE TABLE position (
  machine INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (machine, key)) WITHOUT ROWID;
CREATE TABLE feedback (
  id TEXT PRIMARY KEY, machine INTEGER NOT NULL, at_ms INTEGER NOT NULL, event TEXT NOT NULL,
  kind TEXT NOT NULL, name TEXT, who TEXT, undone_ms INTEGER) WITHOUT ROWID;
CREATE TABLE clip (
  name TEXT PRIMARY KEY, machine INTEGER NOT NULL, at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL,
  score REAL) WITHOUT ROWID;
CREATE INDEX clip_time ON clip (machine, at_ms);
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, sink TEXT NOT NULL,
  made_ms INTEGER NOT NULL, message TEXT NOT NULL, UNIQUE (sink, id));
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";

/// The latest events of all machines are found without reading every event.
const SECOND: &str = "CREATE INDEX event_all ON event (at_ms);";

/// Hours in which a model was tried beside the one in use: windows that both judged, and which of them alarmed.
const THIRD: &str = "
CREATE TABLE beside (
  machine INTEGER NOT NULL, model TEXT NOT NULL, at_s INTEGER NOT NULL, windows INTEGER NOT NULL,
  both INTEGER NOT NULL, only_live INTEGER NOT NULL, only_shadow INTEGER NOT NULL,
  PRIMARY KEY (machine, model, at_s)) WITHOUT ROWID;
";

/// Form of the tables that this version writes.
pub(crate) const FORM: u32 = STEPS.len() as u32;

/// Brings a database, new or old, to today's form.
///
/// # Errors
/// [`StoreError::TooNew`] for one of a later version; whatever keeps a step from being taken, which then
/// leaves the database as it was.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > FORM {
        return Err(StoreError::TooNew { found, expected: FORM });
    }
    for (form, step) in (1..=FORM).zip(STEPS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", form)?;
        transaction.commit()?;
    }
    Ok(())
}
