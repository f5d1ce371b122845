//! Killed at any moment: nothing is lost, nothing is told twice.

use std::fs;

use crate::common::{RULE, Service, faulty, folder, normal, until, uploads, wav};

/// Samples of a window of the model, and from one to the next.
pub(crate) const WINDOW: usize = 8000;

/// The answer of the store to a question, its cells one after the other.
pub(crate) fn sql(service: &Service, question: &str) -> String {
    let store = service.path("offkey-data/offkey.db");
    let reader = offkey_serve::store::Reader::open(&store).expect("the store");
    reader.sql(question).expect("an answer").rows.concat().join(" ")
}

#[test]
fn an_alarm_is_still_open_after_kill_9_and_nothing_is_there_twice() {
    let folder = folder(&uploads(&["pump"]));
    let service = Service::start_in(&folder);
    service.upload("pump", &faulty());
    service.until_phase("pump", "active_unacknowledged");
    service.kill();
    let service = Service::start_in(&folder);
    assert_eq!(service.view("pump")["phase"], "active_unacknowledged");
    let (status, text) = service.post("/api/machines/pump/acknowledge", b"{}");
    assert_eq!((status, text.as_str()), (200, "{\"changed\":true}"));
    service.upload("pump", normal());
    service.until_phase("pump", "normal");
    let expected = ["alarm.began", "alarm.acknowledged", "alarm.returned", "alarm.cleared"];
    assert_eq!(service.kinds("pump"), expected);
    assert_eq!(sql(&service, "SELECT count(*), count(DISTINCT id) FROM event"), "4 4");
}

#[test]
fn kills_in_the_middle_of_recordings_lose_no_window_and_double_none() {
    let config = format!(
        "[store]\ncommit_every = \"50ms\"\n[machine.pump]\nmodel = \"model.offkey\"\nsource = {{ folder = \"in\" }}\n\
         [machine.pump.alarm]\n{RULE}[sink.file]\njsonl = {{ path = \"events.jsonl\" }}\n"
    );
    let folder = folder(&config);
    let inbox = folder.path().join("in");
    fs::create_dir(&inbox).expect("the inbox");
    for index in 0..12 {
        let sound = if index % 3 == 1 { faulty() } else { normal().to_vec() };
        fs::write(inbox.join(format!("{index:02}.wav")), wav(&sound)).expect("a recording");
    }
    // Each round is killed a little later than the one before.
    for round in 0..12 {
        let service = Service::start_in(&folder);
        std::thread::sleep(std::time::Duration::from_millis(150 + 70 * round));
        service.kill();
    }
    let service = Service::start_in(&folder);
    until("all recordings", || {
        (sql(&service, "SELECT count(*) FROM position WHERE key LIKE 'heard/%'") == "12")
            .then_some(())
    });
    let windows = 12 * normal().len() / WINDOW;
    assert_eq!(sql(&service, "SELECT count(*) FROM score"), windows.to_string());
    assert_eq!(sql(&service, "SELECT count(*) - count(DISTINCT id) FROM event"), "0");
    until("the outbox to be empty", || {
        (sql(&service, "SELECT count(*) FROM outbox") == "0").then_some(())
    });
    let text = fs::read_to_string(folder.path().join("events.jsonl")).expect("the events");
    let mut lines: Vec<&str> = text.lines().collect();
    let told = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), told, "an event was told twice");
    let wanted =
        sql(&service, "SELECT count(*) FROM event WHERE kind IN ('alarm.began', 'alarm.returned')");
    let found =
        lines.iter().filter(|line| line.contains("alarm.began") || line.contains("alarm.returned"));
    assert_eq!(found.count().to_string(), wanted, "an event was not told");
}
