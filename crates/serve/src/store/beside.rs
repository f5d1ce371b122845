//! How a model that is tried compares with the one in use, as the store has it.

use rusqlite::params;

use super::{error::StoreError, query::Reader};

/// How two models compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Compared {
    /// When the first hour begins in which both judged, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Windows that both judged.
    pub windows: u64,
    /// Windows at which both alarm.
    pub both: u64,
    /// Windows at which only the one in use alarms.
    pub only_live: u64,
    /// Windows at which only the one that is tried alarms.
    pub only_shadow: u64,
}

impl Reader {
    /// How a model that is, or was, tried at a machine compares with the one in use.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be read.
    pub fn compared(&self, machine: &str, model: &str) -> Result<Compared, StoreError> {
        let sql = "SELECT min(at_s), coalesce(sum(windows), 0), coalesce(sum(both), 0), coalesce(sum(only_live), 0),
                     coalesce(sum(only_shadow), 0)
                   FROM beside JOIN machine ON id = machine WHERE name = ? AND model = ?";
        let found = self.rows(sql, params![machine, model], |row| {
            let from_s: Option<i64> = row.get(0)?;
            let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(Compared {
                from_ms: from_s.map(|from_s| 1000 * from_s),
                windows: count(1)?,
                both: count(2)?,
                only_live: count(3)?,
                only_shadow: count(4)?,
            })
        })?;
        Ok(found.into_iter().next().unwrap_or_default())
    }
}
