//! Questions to the store, without writing to it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Row, limits::Limit, params, types::ValueRef,
};

use super::{
    error::StoreError,
    ops::{ClipRow, EventRow, FeedbackRow, OutboxRow},
    rollup::SPANS_S,
};

/// Reads the store beside its writer.
pub struct Reader {
    connection: Connection,
}

/// One point of a trend: a window, or a minute, hour or day of windows.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Point {
    /// When it begins, in milliseconds since 1970.
    pub at_ms: i64,
    /// Windows in it.
    pub windows: i64,
    /// Windows in it that alarm.
    pub alarms: i64,
    /// Mean score.
    pub score: Option<f64>,
    /// Largest score.
    pub score_max: Option<f64>,
    /// Smallest p-value.
    pub p_value: Option<f64>,
    /// Mean level in decibels relative to full scale.
    pub level_db: Option<f64>,
}

/// A table that answers a question in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlAnswer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows as text; nulls are empty.
    pub rows: Vec<Vec<String>>,
}

/// Points of a trend at most.
const MOST_POINTS: i64 = 3000;

impl Reader {
    /// Opens a database to read only.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "query_only", true)?;
        // Neither `ATTACH` nor `VACUUM INTO`, which write other files, can be used then.
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        Ok(Self { connection })
    }

    /// The trend of a machine between two times, in windows where they are few, else in minutes, hours or
    /// days.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be read.
    pub fn trend(&self, machine: &str, from_ms: i64, to_ms: i64) -> Result<Vec<Point>, StoreError> {
        let Some(id) = self.id_of(machine)? else { return Ok(Vec::new()) };
        let count: i64 = self.connection.query_row(
            "SELECT count(*) FROM (SELECT 1 FROM score WHERE machine = ? AND at_ms >= ? AND at_ms < ? LIMIT ?)",
            params![id, from_ms, to_ms, MOST_POINTS + 1],
            |row| row.get(0),
        )?;
        let oldest: Option<i64> = self.connection.query_row(
            "SELECT min(at_ms) FROM score WHERE machine = ?",
            [id],
            |row| row.get(0),
        )?;
        // Windows that are no longer kept live on in minutes, hours and days.
        let all_kept = oldest.is_some_and(|oldest| oldest <= from_ms + 1000 * SPANS_S[1]);
        if count > 0 && count <= MOST_POINTS && (all_kept || to_ms - from_ms <= 2 * 3_600_000) {
            return self.rows(
                "SELECT at_ms, 1, verdict = 3, score, score, p_value, level_db FROM score
                 WHERE machine = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms",
                params![id, from_ms, to_ms],
                point,
            );
        }
        let fits = |span_s: &&i64| (to_ms - from_ms) / (1000 * **span_s) <= MOST_POINTS;
        let span_s = SPANS_S.iter().find(fits).unwrap_or(&SPANS_S[2]);
        self.rows(
            "SELECT 1000 * at_s, windows, alarms, score_sum / nullif(judged, 0), score_max, p_min,
               level_sum / nullif(windows, 0) FROM rollup
             WHERE machine = ? AND span_s = ? AND at_s >= ? AND at_s < ? ORDER BY at_s",
            params![id, span_s, from_ms.div_euclid(1000), to_ms.div_euclid(1000)],
            point,
        )
    }

    /// The latest events before a time, latest first; of all machines where none is named.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when they cannot be read.
    pub fn events(
        &self,
        machine: Option<&str>,
        before_ms: i64,
        most: usize,
    ) -> Result<Vec<EventRow>, StoreError> {
        self.rows(
            "SELECT e.id, m.name, e.at_ms, e.kind, e.alarm, e.reason, e.score, e.p_value, e.clip, e.who
             FROM event e JOIN machine m ON m.id = e.machine
             WHERE (?1 IS NULL OR m.name = ?1) AND e.at_ms < ?2
             ORDER BY e.at_ms DESC, e.id DESC LIMIT ?3",
            params![machine, before_ms, most.cast_signed()],
            event,
        )
    }

    /// One event.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be read.
    pub fn event(&self, id: &str) -> Result<Option<EventRow>, StoreError> {
        let found = self.rows(
            "SELECT e.id, m.name, e.at_ms, e.kind, e.alarm, e.reason, e.score, e.p_value, e.clip, e.who
             FROM event e JOIN machine m ON m.id = e.machine WHERE e.id = ?",
            [id],
            event,
        )?;
        Ok(found.into_iter().next())
    }

    /// What people said about events of a machine, latest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be read.
    pub fn feedback(&self, machine: &str) -> Result<Vec<FeedbackRow>, StoreError> {
        self.rows(
            "SELECT f.id, m.name, f.at_ms, f.event, f.kind, f.name, f.who, f.undone_ms
             FROM feedback f JOIN machine m ON m.id = f.machine WHERE m.name = ?
             ORDER BY f.at_ms DESC LIMIT 1000",
            [machine],
            |row| {
                Ok(FeedbackRow {
                    id: row.get(0)?,
                    machine: row.get(1)?,
                    at_ms: row.get(2)?,
                    event: row.get(3)?,
                    kind: row.get(4)?,
                    name: row.get(5)?,
                    who: row.get(6)?,
                    undone_ms: row.get(7)?,
                })
            },
        )
    }

    /// Sounds kept, oldest first; of all machines where none is named.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when they cannot be read.
    pub fn clips(&self, machine: Option<&str>) -> Result<Vec<ClipRow>, StoreError> {
        self.rows(
            "SELECT c.name, m.name, c.at_ms, c.bytes, c.score FROM clip c
             JOIN machine m ON m.id = c.machine
             WHERE ?1 IS NULL OR m.name = ?1 ORDER BY c.at_ms, c.name",
            [machine],
            |row| {
                let bytes: i64 = row.get(3)?;
                Ok(ClipRow {
                    name: row.get(0)?,
                    machine: row.get(1)?,
                    at_ms: row.get(2)?,
                    bytes: bytes.unsigned_abs(),
                    score: row.get(4)?,
                })
            },
        )
    }

    /// Messages that wait, per sink.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when they cannot be counted.
    pub fn outbox_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT sink, count(*) FROM outbox GROUP BY sink";
        let found = self.rows(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        Ok(found.into_iter().collect())
    }

    /// Everything that was counted.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it cannot be read.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT name, value FROM counter";
        let found = self.rows(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        Ok(found.into_iter().collect())
    }

    /// Answers a question in SQL; whatever would write is refused.
    ///
    /// # Errors
    /// [`StoreError::Sql`] for what is no question.
    pub fn sql(&self, question: &str) -> Result<SqlAnswer, StoreError> {
        self.table(question, [])
    }

    fn table(
        &self,
        question: &str,
        values: impl rusqlite::Params,
    ) -> Result<SqlAnswer, StoreError> {
        let mut statement = self.connection.prepare(question)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let mut found = statement.query(values)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let cells = (0..width).map(|column| row.get_ref(column).map(text_of));
            rows.push(cells.collect::<Result<_, _>>()?);
        }
        Ok(SqlAnswer { columns, rows })
    }

    /// Answers a question in SQL about a machine (`?1`, null: all) between two times (`?2`, `?3`).
    ///
    /// # Errors
    /// [`StoreError::Sql`] for what is no question.
    pub(crate) fn sql_between(
        &self,
        question: &str,
        machine: Option<&str>,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<SqlAnswer, StoreError> {
        self.table(question, params![machine, from_ms, to_ms])
    }

    fn id_of(&self, machine: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM machine WHERE name = ?";
        Ok(self.connection.query_row(sql, [machine], |row| row.get(0)).optional()?)
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(values, read)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

fn point(row: &Row<'_>) -> rusqlite::Result<Point> {
    Ok(Point {
        at_ms: row.get(0)?,
        windows: row.get(1)?,
        alarms: row.get(2)?,
        score: row.get(3)?,
        score_max: row.get(4)?,
        p_value: row.get(5)?,
        level_db: row.get(6)?,
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    let alarm: Option<i64> = row.get(4)?;
    Ok(EventRow {
        id: row.get(0)?,
        machine: row.get(1)?,
        at_ms: row.get(2)?,
        kind: row.get(3)?,
        alarm: alarm.map(i64::unsigned_abs),
        reason: row.get(5)?,
        score: row.get(6)?,
        p_value: row.get(7)?,
        clip: row.get(8)?,
        who: row.get(9)?,
    })
}

fn text_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

/// The oldest messages for a sink.
pub(super) fn outbox(
    connection: &Connection,
    sink: &str,
    most: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, sink, made_ms, message FROM outbox WHERE sink = ? ORDER BY seq LIMIT ?",
    )?;
    let rows = statement.query_map(params![sink, most.cast_signed()], |row| {
        Ok(OutboxRow {
            id: row.get(0)?,
            sink: row.get(1)?,
            made_ms: row.get(2)?,
            message: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The state of a machine with the time it was written.
pub(super) fn state(
    connection: &Connection,
    machine: &str,
) -> Result<Option<(i64, String)>, StoreError> {
    let sql = "SELECT saved_ms, state FROM state JOIN machine ON id = machine WHERE name = ?";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(connection.query_row(sql, [machine], read).optional()?)
}

/// Where the source of a machine stands.
pub(super) fn position(
    connection: &Connection,
    machine: &str,
) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = "SELECT key, value FROM position JOIN machine ON id = machine WHERE name = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([machine], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
