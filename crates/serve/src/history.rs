//! The store as CSV, for spreadsheets and scripts.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    config::Config,
    store::{DATABASE, Reader, SqlAnswer, StoreError, is_damage},
};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Windows or events.
    Rows {
        /// Only this machine.
        machine: Option<String>,
        /// Events instead of windows.
        events: bool,
        /// From this time on.
        from: Option<String>,
        /// Up to this time.
        to: Option<String>,
    },
    /// A question in SQL.
    Sql(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Nothing has the name that was given.
    #[error("there is no `{}`: name a configuration, or the folder of a store", path.display())]
    Absent {
        /// As given.
        path: PathBuf,
    },
    /// There is no store.
    #[error("there is no store at `{}`", path.display())]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something else, or a store that is damaged.
    #[error(
        "`{}` is no store and no configuration, or is damaged: name a configuration, or the folder of a store",
        path.display()
    )]
    NotAStore {
        /// Which.
        path: PathBuf,
    },
    /// A time that cannot be read.
    #[error(
        "cannot read the time `{found}`, expected as in `2026-11-28` or `2026-11-28T06:00:00Z`"
    )]
    Time {
        /// As written.
        found: String,
    },
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Answers a question about the store in a folder, or of a configuration, as CSV.
///
/// # Errors
/// [`HistoryError`] when there is no store or the question cannot be answered.
pub fn answer(store: &Path, question: &Question) -> Result<String, HistoryError> {
    if !store.exists() {
        return Err(HistoryError::Absent { path: store.to_owned() });
    }
    let path = database(store);
    if !path.is_file() {
        return Err(HistoryError::NoStore { path });
    }
    let reader = Reader::open(&path).map_err(|error| no_store(&path, error))?;
    let answer = match question {
        Question::Sql(sql) => reader.sql(sql)?,
        Question::Rows { machine, events, from, to } => {
            let from_ms = time(from.as_deref(), i64::MIN)?;
            let to_ms = time(to.as_deref(), i64::MAX)?;
            let sql = if *events { EVENTS } else { WINDOWS };
            let rows = reader.sql_between(sql, machine.as_deref(), from_ms, to_ms);
            rows.map_err(|error| no_store(&path, error))?
        }
    };
    Ok(csv(&answer))
}

const WINDOWS: &str = "SELECT m.name AS machine, strftime('%Y-%m-%dT%H:%M:%fZ', s.at_ms / 1000.0, 'unixepoch') AS time,
  s.score, s.p_value, s.level_db,
  CASE s.verdict WHEN 0 THEN 'normal' WHEN 1 THEN 'cannot_tell' WHEN 2 THEN 'suspicious' WHEN 3 THEN 'alarm' ELSE 'not_judged' END AS verdict
  FROM score s JOIN machine m ON m.id = s.machine
  WHERE (?1 IS NULL OR m.name = ?1) AND s.at_ms >= ?2 AND s.at_ms < ?3 ORDER BY s.at_ms, m.name";
const EVENTS: &str = "SELECT e.id, m.name AS machine, strftime('%Y-%m-%dT%H:%M:%fZ', e.at_ms / 1000.0, 'unixepoch') AS time,
  e.kind, e.alarm, e.reason, e.score, e.p_value, e.clip, e.who
  FROM event e JOIN machine m ON m.id = e.machine
  WHERE (?1 IS NULL OR m.name = ?1) AND e.at_ms >= ?2 AND e.at_ms < ?3 ORDER BY e.at_ms, e.id";

fn database(store: &Path) -> PathBuf {
    if store.is_dir() {
        return store.join(DATABASE);
    }
    // What is no text is no configuration.
    let config = std::fs::read_to_string(store).ok().and_then(|text| Config::read(&text).ok());
    let Some(config) = config else { return store.to_owned() };
    store.parent().unwrap_or(Path::new(".")).join(config.store.folder).join(DATABASE)
}

/// A file that no database wrote is no store.
fn no_store(path: &Path, error: StoreError) -> HistoryError {
    if is_damage(&error) {
        return HistoryError::NotAStore { path: path.to_owned() };
    }
    error.into()
}

fn time(text: Option<&str>, otherwise: i64) -> Result<i64, HistoryError> {
    let Some(text) = text else { return Ok(otherwise) };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let midnight = text.parse::<Date>().ok().and_then(|date| {
        TimeZone::system().to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()
    });
    midnight
        .map(Timestamp::as_millisecond)
        .ok_or_else(|| HistoryError::Time { found: text.to_owned() })
}

fn csv(answer: &SqlAnswer) -> String {
    let line = |cells: &[String]| {
        cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n"
    };
    let mut text = line(&answer.columns);
    for row in &answer.rows {
        text += &line(row);
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{EventRow, Op, Store};

    #[test]
    fn a_question_is_answered_as_csv() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut store = Store::open(folder.path()).expect("a store");
        store.put(vec![Op::Event(EventRow {
            id: "pump.1.1".to_owned(),
            machine: "pump".to_owned(),
            at_ms: 1_000,
            kind: "alarm.began".to_owned(),
            alarm: Some(1),
            reason: "louder, by \"far\"".to_owned(),
            score: None,
            p_value: None,
            clip: None,
            who: None,
        })]);
        assert!(store.commit());
        let rows = |from: &str| Question::Rows {
            machine: Some("pump".to_owned()),
            events: true,
            from: Some(from.to_owned()),
            to: None,
        };
        let text = answer(folder.path(), &rows("1970-01-01T00:00:00Z")).expect("an answer");
        let expected =
            "pump.1.1,pump,1970-01-01T00:00:01.000Z,alarm.began,1,\"louder, by \"\"far\"\"\",,,,";
        assert_eq!(text.lines().nth(1), Some(expected));
        assert_eq!(
            answer(folder.path(), &rows("2026-11-28")).expect("an answer").lines().count(),
            1
        );
        assert!(matches!(answer(folder.path(), &rows("soon")), Err(HistoryError::Time { .. })));
        let sql = Question::Sql("SELECT count(*) AS n FROM event".to_owned());
        assert_eq!(answer(folder.path(), &sql).expect("an answer"), "n\n1\n");
    }

    #[test]
    fn what_is_no_store_is_called_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let other = folder.path().join("model.offkey");
        std::fs::write(&other, [0xFF; 5000]).expect("room");
        let question = Question::Rows { machine: None, events: false, from: None, to: None };
        let told = answer(&other, &question).expect_err("no store").to_string();
        assert!(told.contains("model.offkey` is no store"), "{told}");
        assert!(!told.contains("code 26"), "{told}");
    }
}
