//! Minutes, hours and days instead of windows: years can be looked at in a moment.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

use super::{
    error::StoreError,
    machines::machine_id,
    ops::{ScoreRow, WindowAnswer},
};

/// Lengths that windows are rolled up to, in seconds: minute, hour, day (of UTC).
pub const SPANS_S: [i64; 3] = [60, 3600, 86_400];

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    windows: i64,
    judged: i64,
    alarms: i64,
    score_sum: f64,
    score_max: Option<f64>,
    p_min: Option<f64>,
    level_sum: f64,
    level_max: Option<f64>,
}

impl Sums {
    fn add(&mut self, row: &ScoreRow) {
        let larger = |most: Option<f64>, value| Some(most.map_or(value, |most| most.max(value)));
        self.windows += 1;
        if let Some(score) = row.score {
            self.judged += 1;
            self.score_sum += score;
            self.score_max = larger(self.score_max, score);
        }
        if let Some(p_value) = row.p_value {
            self.p_min = Some(self.p_min.map_or(p_value, |least| least.min(p_value)));
        }
        self.alarms += i64::from(row.verdict == WindowAnswer::Alarm);
        if let Some(level) = row.level_db {
            self.level_sum += level;
            self.level_max = larger(self.level_max, level);
        }
    }
}

/// Adds windows to the minutes, hours and days they lie in.
pub(super) fn add<'a>(
    transaction: &Transaction<'_>,
    rows: impl Iterator<Item = &'a ScoreRow>,
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&str, i64, i64), Sums> = BTreeMap::new();
    for row in rows {
        for span_s in SPANS_S {
            let at_s = row.at_ms.div_euclid(1000 * span_s) * span_s;
            sums.entry((&row.machine, span_s, at_s)).or_default().add(row);
        }
    }
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO rollup VALUES (?,?,?,?,?,?,?,?,?,?,?)
         ON CONFLICT (machine, span_s, at_s) DO UPDATE SET
           windows = windows + excluded.windows, judged = judged + excluded.judged,
           alarms = alarms + excluded.alarms, score_sum = score_sum + excluded.score_sum,
           score_max = max(coalesce(score_max, excluded.score_max), coalesce(excluded.score_max, score_max)),
           p_min = min(coalesce(p_min, excluded.p_min), coalesce(excluded.p_min, p_min)),
           level_sum = level_sum + excluded.level_sum,
           level_max = max(coalesce(level_max, excluded.level_max), coalesce(excluded.level_max, level_max))",
    )?;
    for ((machine, span_s, at_s), sum) in sums {
        upsert.execute(params![
            machine_id(transaction, machine)?,
            span_s,
            at_s,
            sum.windows,
            sum.judged,
            sum.alarms,
            sum.score_sum,
            sum.score_max,
            sum.p_min,
            sum.level_sum,
            sum.level_max
        ])?;
    }
    Ok(())
}
