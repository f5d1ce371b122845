//! Operations written to the database: a batch whole, or not at all.

use rusqlite::{Transaction, params};

use super::{
    error::StoreError,
    machines::machine_id,
    ops::{BesideRow, Op, ScoreRow},
    rollup,
};

const HOUR_MS: i64 = 3_600_000;

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
        Op::Beside(BesideRow { machine, model, at_ms, live, shadow }) => run(
            "INSERT INTO beside VALUES (?,?,?,1,?,?,?)
             ON CONFLICT (machine, model, at_s) DO UPDATE SET windows = windows + 1,
               both = both + excluded.both, only_live = only_live + excluded.only_live,
               only_shadow = only_shadow + excluded.only_shadow",
            params![
                machine_id(transaction, machine)?,
                model,
                at_ms.div_euclid(HOUR_MS) * (HOUR_MS / 1000),
                *live && *shadow,
                *live && !*shadow,
                *shadow && !*live
            ],
        ),
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
