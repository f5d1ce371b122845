//! What is forgotten, and when.

use rusqlite::{Connection, params};

use super::error::StoreError;

/// How long things are kept, in days; none: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Windows.
    pub windows_days: Option<u32>,
    /// Minutes of windows. Hours and days are kept for ever: they are small.
    pub minutes_days: Option<u32>,
    /// Events and what people said about them.
    pub events_days: Option<u32>,
}

/// Rows removed per call and table, so that no call holds up the windows.
const ROWS_PER_CALL: usize = 5000;
const DAY_MS: i64 = 86_400_000;

pub(super) fn forget(
    connection: &mut Connection,
    retention: &Retention,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let before = |days: u32| now_ms - i64::from(days) * DAY_MS;
    let transaction = connection.transaction()?;
    let mut most = 0_usize;
    let mut remove = |sql: &str, days: Option<u32>| -> Result<(), StoreError> {
        if let Some(days) = days {
            let removed =
                transaction.execute(sql, params![before(days), ROWS_PER_CALL.cast_signed()])?;
            most = most.max(removed);
        }
        Ok(())
    };
    remove(
        "DELETE FROM score WHERE (machine, at_ms) IN
         (SELECT s.machine, s.at_ms FROM machine m JOIN score s ON s.machine = m.id AND s.at_ms < ?1 LIMIT ?2)",
        retention.windows_days,
    )?;
    remove(
        "DELETE FROM rollup WHERE (machine, span_s, at_s) IN
         (SELECT r.machine, r.span_s, r.at_s FROM machine m
          JOIN rollup r ON r.machine = m.id AND r.span_s = 60 AND r.at_s < ?1 / 1000 LIMIT ?2)",
        retention.minutes_days,
    )?;
    remove(
        "DELETE FROM event WHERE id IN
         (SELECT e.id FROM machine m JOIN event e ON e.machine = m.id AND e.at_ms < ?1 LIMIT ?2)",
        retention.events_days,
    )?;
    remove(
        "DELETE FROM feedback WHERE id IN (SELECT id FROM feedback WHERE at_ms < ?1 LIMIT ?2)",
        retention.events_days,
    )?;
    transaction.commit()?;
    Ok(most >= ROWS_PER_CALL)
}

pub(super) fn forget_machine(connection: &mut Connection, machine: &str) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    for table in ["score", "rollup", "beside", "event", "feedback", "clip"] {
        let sql =
            format!("DELETE FROM {table} WHERE machine = (SELECT id FROM machine WHERE name = ?)");
        transaction.execute(&sql, [machine])?;
    }
    transaction.commit()?;
    Ok(())
}
