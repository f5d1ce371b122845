//! What is written, as data: a batch of operations is written whole or not at all.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{StoreError, rollup};

/// What is remembered of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// The machine.
    pub machine: String,
    /// When the window began, in milliseconds since 1970.
    pub at_ms: i64,
    /// Anomaly score.
    pub score: Option<f64>,
    /// Probability that a normal window looks at least this bad.
    pub p_value: Option<f64>,
    /// Level in decibels relative to full scale.
    pub level_db: Option<f64>,
    /// The answer.
    pub verdict: WindowAnswer,
}

/// The answer for a window, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WindowAnswer {
    /// Sounds normal.
    Normal = 0,
    /// Not usable.
    CannotTell = 1,
    /// Unusual.
    Suspicious = 2,
    /// Alarms.
    Alarm = 3,
    /// Not judged: the machine is off or has just started.
    NotJudged = 4,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EventRow {
    /// Names the event, for ever.
    pub id: String,
    /// The machine.
    pub machine: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened, as in `alarm.began`.
    pub kind: String,
    /// Number of the alarm it is about.
    pub alarm: Option<u64>,
    /// Why, in a sentence.
    pub reason: String,
    /// Anomaly score.
    pub score: Option<f64>,
    /// p-value.
    pub p_value: Option<f64>,
    /// Name of the sound kept.
    pub clip: Option<String>,
    /// Who did it, where a person did.
    pub who: Option<String>,
}

/// A sound kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipRow {
    /// Its name: machine, stroke, file.
    pub name: String,
    /// The machine.
    pub machine: String,
    /// When it begins, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its size.
    pub bytes: u64,
    /// Anomaly score of its worst window.
    pub score: Option<f64>,
}

/// What a person said about an event.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FeedbackRow {
    /// Names it.
    pub id: String,
    /// The machine.
    pub machine: String,
    /// When.
    pub at_ms: i64,
    /// The event.
    pub event: String,
    /// `normal` or `fault`.
    pub kind: String,
    /// What the fault is called.
    pub name: Option<String>,
    /// Who said so.
    pub who: Option<String>,
    /// When it was taken back.
    pub undone_ms: Option<i64>,
}

/// A message on its way to a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The event's name: a receiver that has seen it may pass it over.
    pub id: String,
    /// The sink.
    pub sink: String,
    /// When it was written.
    pub made_ms: i64,
    /// The message, as JSON.
    pub message: String,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// A window was judged.
    Score(ScoreRow),
    /// Something happened. The same event again changes nothing.
    Event(EventRow),
    /// The state of a machine.
    State {
        /// The machine.
        machine: String,
        /// When.
        saved_ms: i64,
        /// As JSON.
        state: String,
    },
    /// Where a source stands; `None` forgets the key.
    Position {
        /// The machine.
        machine: String,
        /// Which part of the source.
        key: String,
        /// How far.
        value: Option<String>,
    },
    /// A person said something about an event.
    Feedback(FeedbackRow),
    /// A person took that back.
    Undone {
        /// Which.
        id: String,
        /// When.
        at_ms: i64,
    },
    /// A sound was kept.
    Clip(ClipRow),
    /// A sound was removed.
    ClipGone {
        /// Its name.
        name: String,
    },
    /// A message is to be delivered. The same one again changes nothing.
    Outbox(OutboxRow),
    /// A message was delivered, or given up.
    Delivered {
        /// The sink.
        sink: String,
        /// The event's name.
        id: String,
    },
    /// Something is counted.
    Count {
        /// What.
        name: String,
        /// How many more.
        by: u64,
    },
}

impl Op {
    /// Whether losing it would lose an alarm: such operations are kept longest while the disk is full.
    pub(crate) fn matters(&self) -> bool {
        !matches!(self, Self::Score(_) | Self::Count { .. })
    }
}

/// Writes operations within a transaction.
pub(super) fn write(transaction: &Transaction<'_>, ops: &[Op]) -> Result<(), StoreError> {
    for op in ops {
        write_one(transaction, op)?;
    }
    let scores = ops.iter().filter_map(|op| match op {
        Op::Score(row) => Some(row),
        _ => None,
    });
    rollup::add(transaction, scores)
}

fn write_one(transaction: &Transaction<'_>, op: &Op) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    };
    match op {
        Op::Score(row) => write_score(transaction, row),
        Op::Event(row) => run(
            "INSERT OR IGNORE INTO event VALUES (?,?,?,?,?,?,?,?,?,?)",
            params![
                row.id,
                machine_id(transaction, &row.machine)?,
                row.at_ms,
                row.kind,
                row.alarm.map(u64::cast_signed),
                row.reason,
                row.score,
                row.p_value,
                row.clip,
                row.who
            ],
        ),
        Op::State { machine, saved_ms, state } => run(
            "INSERT OR REPLACE INTO state VALUES (?,?,?)",
            params![machine_id(transaction, machine)?, saved_ms, state],
        ),
        Op::Position { machine, key, value: Some(value) } => run(
            "INSERT OR REPLACE INTO position VALUES (?,?,?)",
            params![machine_id(transaction, machine)?, key, value],
        ),
        Op::Position { machine, key, value: None } => run(
            "DELETE FROM position WHERE machine = ? AND key = ?",
            params![machine_id(transaction, machine)?, key],
        ),
        Op::Feedback(row) => run(
            "INSERT OR IGNORE INTO feedback VALUES (?,?,?,?,?,?,?,?)",
            params![
                row.id,
                machine_id(transaction, &row.machine)?,
                row.at_ms,
                row.event,
                row.kind,
                row.name,
                row.who,
                row.undone_ms
            ],
        ),
        Op::Undone { id, at_ms } => {
            run("UPDATE feedback SET undone_ms = ? WHERE id = ?", params![at_ms, id])
        }
        Op::Clip(row) => run(
            "INSERT OR REPLACE INTO clip VALUES (?,?,?,?,?)",
            params![
                row.name,
                machine_id(transaction, &row.machine)?,
                row.at_ms,
                row.bytes.cast_signed(),
                row.score
            ],
        ),
        Op::ClipGone { name } => run("DELETE FROM clip WHERE name = ?", params![name]),
        Op::Outbox(row) => run(
            "INSERT OR IGNORE INTO outbox (id, sink, made_ms, message) VALUES (?,?,?,?)",
            params![row.id, row.sink, row.made_ms, row.message],
        ),
        Op::Delivered { sink, id } => {
            run("DELETE FROM outbox WHERE sink = ? AND id = ?", params![sink, id])
        }
        Op::Count { name, by } => run(
            "INSERT INTO counter VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            params![name, by.cast_signed()],
        ),
    }
}

/// Windows of one machine that begin at the same millisecond, as after a clock was set back, are put one
/// millisecond apart: none is lost.
fn write_score(transaction: &Transaction<'_>, row: &ScoreRow) -> Result<(), StoreError> {
    let machine = machine_id(transaction, &row.machine)?;
    let sql = "INSERT OR IGNORE INTO score VALUES (?,?,?,?,?,?)";
    let mut insert = transaction.prepare_cached(sql)?;
    let mut at_ms = row.at_ms;
    let verdict = row.verdict as u8;
    while insert.execute(params![machine, at_ms, row.score, row.p_value, row.level_db, verdict])?
        == 0
    {
        at_ms += 1;
    }
    Ok(())
}

/// The number that stands for a machine.
pub(super) fn machine_id(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    let mut find = connection.prepare_cached("SELECT id FROM machine WHERE name = ?")?;
    if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.execute("INSERT INTO machine (name) VALUES (?)", [name])?;
    Ok(connection.last_insert_rowid())
}
