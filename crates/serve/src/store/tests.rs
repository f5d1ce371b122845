//! Laws of the store: whole or not at all, nothing twice, degraded rather than dead.

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

const DAY_MS: i64 = 86_400_000;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn open(folder: &TempDir) -> Store {
    Store::open(folder.path()).expect("a store")
}

fn score(at_ms: i64, score: f64) -> ScoreRow {
    let verdict = if score > 1.0 { WindowAnswer::Alarm } else { WindowAnswer::Normal };
    ScoreRow {
        machine: "pump".to_owned(),
        at_ms,
        score: Some(score),
        p_value: Some(1.0 / (1.0 + score)),
        level_db: Some(-30.0),
        verdict,
    }
}

fn event(id: &str) -> EventRow {
    EventRow {
        id: id.to_owned(),
        machine: "pump".to_owned(),
        at_ms: 5000,
        kind: "alarm.began".to_owned(),
        alarm: Some(1),
        reason: "louder at 2000 Hz".to_owned(),
        score: Some(2.0),
        p_value: Some(0.01),
        clip: None,
        who: None,
    }
}

fn message(id: &str) -> Op {
    Op::Outbox(OutboxRow {
        id: id.to_owned(),
        sink: "plant".to_owned(),
        made_ms: 1,
        message: format!("{{\"id\":\"{id}\"}}"),
    })
}

fn delivered(id: &str) -> Op {
    Op::Delivered { sink: "plant".to_owned(), id: id.to_owned() }
}

fn due(store: &Store) -> Vec<String> {
    let rows = store.due("plant", 100).expect("the outbox");
    rows.into_iter().map(|row| row.id).collect()
}

impl Store {
    /// Makes every later write fail as on a full disk.
    pub(crate) fn fill_disk(&self) {
        let connection = self.connection.as_ref().expect("a connection");
        let pages: i64 =
            connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a count");
        connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))
            .expect("a limit");
        // Free pages would take some rows yet.
        while connection
            .execute(
                "INSERT INTO counter VALUES (hex(randomblob(8)) || hex(zeroblob(2000)), 1)",
                [],
            )
            .is_ok()
        {}
    }

    /// There is room again.
    pub(crate) fn free_disk(&self) {
        let connection = self.connection.as_ref().expect("a connection");
        connection
            .query_row("PRAGMA max_page_count = 1000000", [], |row| row.get::<_, i64>(0))
            .expect("a limit");
    }
}

fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    let answer = store.reader().and_then(|reader| reader.sql(&sql)).expect("a count");
    answer.rows[0][0].parse().expect("a number")
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let folder = folder();
    let mut store = open(&folder);
    let state = Op::State { machine: "pump".to_owned(), saved_ms: 7, state: "{}".to_owned() };
    let position = |key: &str, value: Option<&str>| Op::Position {
        machine: "pump".to_owned(),
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    store.put(vec![
        Op::Score(score(1000, 0.5)),
        state,
        position("a", Some("1")),
        position("b", Some("2")),
    ]);
    store.put(vec![Op::Event(event("e1")), message("e1"), position("b", None)]);
    assert!(store.commit());
    drop(store);
    let store = open(&folder);
    assert_eq!(store.state_of("pump").expect("a state"), Some((7, "{}".to_owned())));
    assert_eq!(
        store.position_of("pump").expect("a position"),
        [("a".to_owned(), "1".to_owned())].into()
    );
    assert_eq!(due(&store), ["e1"]);
    let reader = store.reader().expect("a reader");
    assert_eq!(reader.events(Some("pump"), i64::MAX, 10).expect("events"), [event("e1")]);
    assert_eq!(reader.events(Some("other"), i64::MAX, 10).expect("events"), []);
}

#[test]
fn what_was_not_committed_is_not_there_at_all() {
    let folder = folder();
    let mut store = open(&folder);
    store.put(vec![Op::Event(event("e1")), message("e1")]);
    drop(store);
    let store = open(&folder);
    assert_eq!((count(&store, "event"), count(&store, "outbox")), (0, 0));
}

#[test]
fn the_same_event_and_message_again_change_nothing() {
    let folder = folder();
    let mut store = open(&folder);
    for _ in 0..2 {
        store.put(vec![Op::Event(event("e1")), message("e1")]);
        store.commit();
    }
    assert_eq!((count(&store, "event"), count(&store, "outbox")), (1, 1));
}

#[test]
fn windows_of_one_moment_are_all_kept() {
    let folder = folder();
    let mut store = open(&folder);
    store.put((0..5).map(|_| Op::Score(score(1000, 0.5))).collect());
    assert!(store.commit());
    assert_eq!(count(&store, "score"), 5);
}

#[test]
fn minutes_hours_and_days_add_up_to_the_windows() {
    let folder = folder();
    let mut store = open(&folder);
    for index in 0..400 {
        store.put(vec![Op::Score(score(index * 10_000, if index == 77 { 9.0 } else { 0.25 }))]);
        if index % 7 == 0 {
            store.commit();
        }
    }
    store.commit();
    let reader = store.reader().expect("a reader");
    let sums = reader
        .sql("SELECT span_s, count(*), sum(windows), sum(alarms), max(score_max), sum(score_sum) FROM rollup GROUP BY span_s")
        .expect("sums");
    let expected = [("60", "67"), ("3600", "2"), ("86400", "1")]
        .map(|(span, rows)| [span, rows, "400", "1", "9", "108.75"].map(str::to_owned).to_vec());
    assert_eq!(sums.rows, expected);
}

#[test]
fn a_trend_is_of_windows_where_they_are_few_and_of_longer_spans_where_not() {
    let folder = folder();
    let mut store = open(&folder);
    store.put((0..10_000).map(|index| Op::Score(score(index * 10_000, 0.25))).collect());
    store.commit();
    let reader = store.reader().expect("a reader");
    let of = |from, to| reader.trend("pump", from, to).expect("a trend");
    assert_eq!(of(0, 1_000_000).len(), 100);
    let day = of(0, 100_000_000);
    assert_eq!((day.len(), day[0].windows), (1667, 6));
    let year = of(0, 86_400_000 * 366);
    assert_eq!(year.iter().map(|point| point.windows).sum::<i64>(), 10_000);
    assert_eq!(reader.trend("other", 0, 1_000_000).expect("a trend"), []);
}

#[test]
fn on_a_full_disk_alarms_wait_in_memory_and_are_delivered_all_the_same() {
    let folder = folder();
    let mut store = open(&folder);
    store.put(vec![Op::Event(event("e0")), message("e0")]);
    assert!(store.commit());
    store.fill_disk();
    let before = count(&store, "event");
    store.put(vec![Op::Event(event("e1")), message("e1"), Op::Score(score(1000, 0.5))]);
    // A large state makes sure that the batch needs a page.
    store.put(vec![Op::State { machine: "pump".to_owned(), saved_ms: 1, state: "x".repeat(9000) }]);
    assert!(!store.commit());
    assert!(
        store.health().trouble.as_deref().is_some_and(|why| why.contains("full")),
        "{:?}",
        store.health()
    );
    assert_eq!(due(&store), ["e0", "e1"]);
    store.put(vec![delivered("e0"), delivered("e1")]);
    assert_eq!(due(&store), Vec::<String>::new());
    assert_eq!(count(&store, "event"), before, "a batch is written whole or not at all");
    store.free_disk();
    assert!(store.commit());
    assert_eq!((due(&store).len(), store.health().waiting), (0, 0));
    assert_eq!((count(&store, "event"), count(&store, "outbox")), (2, 0));
}

#[test]
fn what_waits_is_bounded_and_alarms_outlive_windows() {
    let folder = folder();
    let mut store = open(&folder);
    store.put(vec![Op::Event(event("e1")), message("e1")]);
    for index in 0..MOST_WAITING.cast_signed() as i64 + 10 {
        store.put(vec![Op::Score(score(index, 0.5))]);
    }
    let health = store.health();
    assert!(health.waiting <= MOST_WAITING);
    assert!(health.scores_dropped > 0 && health.others_dropped == 0, "{health:?}");
    assert!(store.waiting().any(|op| *op == message("e1")));
}

#[test]
fn a_damaged_database_is_set_aside_and_what_can_be_read_is_taken_over() {
    let folder = folder();
    let mut store = open(&folder);
    for index in 0..2000 {
        store.put(vec![Op::Score(score(index, 0.5)), Op::Event(event(&format!("e{index}")))]);
    }
    store.put(vec![message("e1")]);
    assert!(store.commit());
    let path = store.path();
    drop(store);
    let mut bytes = fs::read(&path).expect("the database");
    // Damage in the middle: the first pages hold the tables' roots.
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 3 * 4096].fill(0xA5);
    fs::write(&path, bytes).expect("a damaged database");
    let mut store = open(&folder);
    let report = store.health().repairs.join(" ");
    assert!(report.contains("rows were taken over"), "{report}");
    assert_eq!(due(&store), ["e1"]);
    assert!(count(&store, "score") + count(&store, "event") > 1000);
    assert!(folder.path().join("offkey.db.damaged-1").is_file());
    store.put(vec![Op::Event(event("new"))]);
    assert!(store.commit(), "{:?}", store.health());
}

#[test]
fn a_file_that_is_no_database_does_not_stop_the_service() {
    let folder = folder();
    fs::write(folder.path().join(DATABASE), "not a database, ".repeat(999)).expect("a file");
    let mut store = open(&folder);
    store.put(vec![Op::Event(event("e1"))]);
    assert!(store.commit());
    assert_eq!(store.health().repairs.len(), 1);
}

#[test]
fn a_database_damaged_while_it_is_open_is_repaired_and_the_batch_is_kept() {
    let folder = folder();
    let mut store = open(&folder);
    for index in 0..3000 {
        store.put(vec![Op::Event(event(&format!("e{index}")))]);
    }
    assert!(store.commit());
    let path = store.path();
    let connection = store.connection.as_ref().expect("a connection");
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = 0;")
        .expect("a checkpoint");
    let length = fs::metadata(&path).expect("the database").len() as usize;
    fs::write(&path, vec![0xA5; length]).expect("a damaged database");
    store.put(vec![Op::Event(event("last"))]);
    let first = store.commit();
    assert!(first || store.commit(), "{:?}", store.health());
    let reader = store.reader().expect("a reader");
    assert_eq!(reader.event("last").expect("an answer"), Some(event("last")));
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let folder = folder();
    drop(open(&folder));
    let connection = Connection::open(folder.path().join(DATABASE)).expect("the database");
    connection.pragma_update(None, "user_version", 99).expect("a later form");
    assert!(matches!(Store::open(folder.path()), Err(StoreError::TooNew { found: 99, .. })));
}

/// A store of every form that was ever written stays in `tests/stores`.
#[test]
fn stores_of_every_earlier_form_are_brought_to_todays_with_all_they_hold() {
    for form in 1..schema::FORM {
        let folder = folder();
        let name = format!("form_{form}.db");
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name);
        fs::copy(old, folder.path().join(DATABASE)).expect("an old store");
        let mut store = open(&folder);
        assert_eq!(store.health(), &StoreHealth::default());
        let version = store.reader().and_then(|reader| reader.sql("PRAGMA user_version"));
        assert_eq!(version.expect("a form").rows, [[schema::FORM.to_string()]]);
        assert_eq!((count(&store, "score"), count(&store, "rollup")), (20, 3));
        assert_eq!(due(&store), ["pump.1.1"]);
        assert_eq!(store.position_of("pump").expect("a position").len(), 1);
        let reader = store.reader().expect("a reader");
        assert_eq!(reader.feedback("pump").expect("feedback").len(), 1);
        assert_eq!(reader.events(None, i64::MAX, 9).expect("events").len(), 1);
        store.put(vec![Op::Event(event("new")), Op::Score(score(1_800_000_100_000, 0.5))]);
        assert!(store.commit(), "{:?}", store.health());
    }
}

#[test]
fn two_models_are_compared_window_by_window_and_forgotten_with_their_machine() {
    let folder = folder();
    let mut store = open(&folder);
    let row = |at_ms, live, shadow| {
        let (machine, model) = ("pump".to_owned(), "press 4".to_owned());
        Op::Beside(BesideRow { machine, model, at_ms, live, shadow })
    };
    let hour = 3_600_000;
    store.put(vec![
        row(hour + 1, false, false),
        row(hour + 2, true, true),
        row(hour + 3, true, false),
        row(5 * hour, false, true),
        row(5 * hour + 1, false, true),
    ]);
    assert!(store.commit(), "{:?}", store.health());
    let compared = |model: &str| {
        store.reader().and_then(|reader| reader.compared("pump", model)).expect("an answer")
    };
    let expected =
        Compared { from_ms: Some(hour), windows: 5, both: 1, only_live: 1, only_shadow: 2 };
    assert_eq!((compared("press 4"), compared("press 3")), (expected, Compared::default()));
    store.forget_machine("pump").expect("it is there");
    let reader = store.reader().expect("a reader");
    assert_eq!(reader.compared("pump", "press 4").expect("an answer"), Compared::default());
}

#[test]
fn a_question_cannot_write() {
    let folder = folder();
    let mut store = open(&folder);
    store.put(vec![Op::Event(event("e1"))]);
    store.commit();
    let reader = store.reader().expect("a reader");
    let out = folder.path().join("out.db");
    for sql in [
        "DELETE FROM event",
        "ATTACH '{out}' AS x",
        "PRAGMA query_only = 0; DELETE FROM event",
        "VACUUM INTO '{out}'",
    ] {
        let _ = reader.sql(&sql.replace("{out}", &out.display().to_string()));
        assert_eq!(count(&store, "event"), 1, "{sql}");
    }
    assert!(!out.exists());
}

#[test]
fn old_windows_are_forgotten_and_their_hours_are_not() {
    let folder = folder();
    let mut store = open(&folder);
    store.put((0..12_000).map(|index| Op::Score(score(index * 1000, 0.5))).collect());
    store.put(vec![Op::Score(score(20 * DAY_MS, 0.5)), Op::Event(event("old"))]);
    store.commit();
    let retention =
        Retention { windows_days: Some(10), minutes_days: Some(10), events_days: Some(10) };
    let mut calls = 0;
    while store.forget(&retention, 21 * DAY_MS).expect("room") {
        calls += 1;
    }
    assert_eq!((calls, count(&store, "score"), count(&store, "event")), (2, 1, 0));
    let reader = store.reader().expect("a reader");
    let hours = reader.sql("SELECT sum(windows) FROM rollup WHERE span_s = 3600").expect("a sum");
    assert_eq!(hours.rows, [["12001".to_owned()]]);
    store.forget_machine("pump").expect("room");
    assert_eq!((count(&store, "score"), count(&store, "rollup")), (0, 0));
}

fn clip(name: &str, machine: &str, score: f64) -> ClipRow {
    ClipRow {
        name: name.to_owned(),
        machine: machine.to_owned(),
        at_ms: 0,
        bytes: 100,
        score: Some(score),
    }
}

#[test]
fn the_least_odd_of_the_older_half_goes_first() {
    let rows: Vec<ClipRow> = [("a", 5.0), ("b", 1.0), ("c", 9.0), ("d", 0.5)]
        .map(|(name, score)| clip(name, "pump", score))
        .to_vec();
    let quota = Quota { machine_bytes: 400, total_bytes: 1000 };
    let gone = |bytes| -> Vec<&str> {
        let rows = quota.to_remove(&rows, "pump", bytes);
        rows.into_iter().map(|row| row.name.as_str()).collect()
    };
    assert_eq!(gone(0), Vec::<&str>::new());
    assert_eq!(gone(100), ["b"]);
    assert_eq!(gone(200), ["b", "a"]);
    assert_eq!(gone(400).len(), 4);
}

#[test]
fn the_quota_of_all_machines_takes_from_all_of_them() {
    let rows = [clip("a", "fan", 1.0), clip("b", "pump", 2.0), clip("c", "fan", 3.0)];
    let quota = Quota { machine_bytes: 1000, total_bytes: 300 };
    let gone = quota.to_remove(&rows, "pump", 100);
    assert_eq!(gone.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn files_that_no_row_names_are_swept() {
    let folder = folder();
    let clips = ClipStore::new(folder.path());
    let kept = clips.write("pump", "1-1.wav", b"RIFF").expect("a clip");
    let orphan = clips.write("pump", "1-2.wav", b"RIFF").expect("a clip");
    let row = clip(&kept, "pump", 1.0);
    assert_eq!(clips.sweep(std::slice::from_ref(&row)).expect("a sweep"), 1);
    assert!(clips.path(&kept).is_file() && !clips.path(&orphan).exists());
    assert_eq!(clips.read(&row).expect("the clip"), b"RIFF");
}
