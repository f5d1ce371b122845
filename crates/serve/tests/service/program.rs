//! The program by itself: its arguments, its starter, its signals.

use std::process::{Command, Output};

use crate::{
    common::{RULE, Service, bytes_of, faulty, folder, normal, until, uploads},
    crash::{WINDOW, sql},
};

fn run(folder: &std::path::Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offkey-serve"))
        .args(words)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

#[test]
fn the_starter_checks_and_starts_as_it_is() {
    let folder = folder("");
    let starter = run(folder.path(), &["--init"]);
    let text = String::from_utf8(starter.stdout).expect("text");
    std::fs::write(folder.path().join("mine.toml"), &text).expect("a configuration");
    let checked = run(folder.path(), &["--check", "mine.toml"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let free = text.replace("127.0.0.1:7080", "127.0.0.1:0");
    std::fs::write(folder.path().join("serve.toml"), free).expect("a configuration");
    let service = Service::start_in(&folder);
    assert_eq!(service.get("/api/machines")[0]["name"], "press");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn everything_wrong_with_a_configuration_is_told_with_its_line() {
    let folder = folder(
        "[machine.a]\nsource = 7\n[machine.b]\nsource = { folder = \"x\" }\nsinks = [\"none\"]\n",
    );
    let checked = run(folder.path(), &["--check", "serve.toml"]);
    assert_eq!(checked.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        errors.contains("line 4") && errors.contains("line 7: there is no `[sink.none]`"),
        "{errors}"
    );
    let absent = run(folder.path(), &["absent.toml"]);
    assert_eq!(absent.status.code(), Some(2));
}

#[test]
fn a_reload_takes_machines_in_and_out_and_keeps_the_alarms_of_others() {
    let folder = folder(&uploads(&["pump", "fan"]));
    let service = Service::start_in(&folder);
    service.upload("pump", &faulty());
    service.until_phase("pump", "active_unacknowledged");
    let web = "[web]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(service.path("serve.toml"), web.to_owned() + &uploads(&["press", "pump"]))
        .expect("a configuration");
    service.signal("HUP");
    until("the new machine", || {
        let names = service.get("/api/machines");
        let names: Vec<&str> =
            names.as_array()?.iter().filter_map(|m| m["name"].as_str()).collect();
        (names == ["press", "pump"]).then_some(())
    });
    assert_eq!(service.view("pump")["phase"], "active_unacknowledged");
    std::fs::write(service.path("serve.toml"), "[machine.pump]\n").expect("a broken configuration");
    service.signal("HUP");
    until("the refusal", || service.said().contains("everything goes on as before").then_some(()));
    // A model that cannot be used must not leave a machine unheard.
    std::fs::write(service.path("cut.offkey"), b"half a model").expect("a damaged model");
    for model in ["cut.offkey", "absent.offkey"] {
        let [press, pump] = [uploads(&["press"]), uploads(&["pump"])];
        let text = web.to_owned() + &press + &pump.replace("model.offkey", model);
        std::fs::write(service.path("serve.toml"), text).expect("a configuration");
        let told = service.said().matches("everything goes on as before").count();
        service.signal("HUP");
        until("the refusal", || {
            let said = service.said();
            (said.matches("everything goes on as before").count() > told && said.contains(model))
                .then_some(())
        });
    }
    service.upload("pump", normal());
    service.until_phase("pump", "returned_unacknowledged");
}

#[test]
fn reloads_lose_no_window_of_a_machine_that_did_not_change() {
    let run = r#"["sh", "-c", "echo begun >> starts; for n in 1 2 3 4 5 6 7 8; do cat sound.raw; sleep 0.3; done; head -c 8000 sound.raw; sleep 600"]"#;
    let pump = format!(
        "[machine.pump]\nmodel = \"model.offkey\"\nsource = {{ command = {{ run = {run} }} }}\n[machine.pump.alarm]\n{RULE}"
    );
    let folder = folder(&pump);
    std::fs::write(folder.path().join("sound.raw"), bytes_of(normal())).expect("sound");
    let service = Service::start_in(&folder);
    let web = "[web]\nlisten = \"127.0.0.1:0\"\n";
    let windows = || sql(&service, "SELECT count(*) FROM score").parse::<usize>().expect("a count");
    let names = || service.get("/api/machines").as_array().expect("machines").len();
    // Another machine comes and goes while this one is heard, and wrong files come in between.
    for round in 0..6 {
        let more = if round % 2 == 0 { uploads(&["fan"]) } else { String::new() };
        for text in [format!("{pump}{more}surprise = 1\n"), format!("{web}{pump}{more}")] {
            std::fs::write(service.path("serve.toml"), text).expect("a configuration");
            service.signal("HUP");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        until("the reload", || (names() == 2 - round % 2).then_some(()));
    }
    // The half window at the end lets go of what the reader holds back, and is no window itself.
    let expected = 8 * normal().len() / WINDOW;
    until("all windows", || (windows() >= expected).then_some(()));
    assert_eq!(windows(), expected);
    assert_eq!(std::fs::read_to_string(service.path("starts")).expect("the starts"), "begun\n");
    assert_eq!(service.said().matches("everything goes on as before").count(), 6);
}

#[test]
fn history_answers_as_csv() {
    let service = Service::start(&uploads(&["pump"]));
    service.upload("pump", &faulty());
    service.until_event("pump", "alarm.began");
    let folder = std::sync::Arc::clone(&service.folder);
    assert_eq!(service.stop(), Some(0));
    let events = run(folder.path(), &["history", "serve.toml", "--events", "--machine", "pump"]);
    let text = String::from_utf8(events.stdout).expect("text");
    assert!(text.contains(",alarm.began,1,"), "{text}");
    let sql = run(
        folder.path(),
        &["history", "offkey-data", "--sql", "SELECT count(*) > 1 AS several FROM score"],
    );
    assert_eq!(String::from_utf8(sql.stdout).expect("text"), "several\n1\n");
    let mistyped = run(folder.path(), &["history", "srve.toml"]);
    assert!(!mistyped.status.success(), "another store than the one asked for");
    assert!(String::from_utf8_lossy(&mistyped.stderr).contains("`srve.toml`"), "{mistyped:?}");
    let writing = run(folder.path(), &["history", "offkey-data", "--sql", "DELETE FROM score"]);
    assert_eq!(writing.status.code(), Some(1));
}
