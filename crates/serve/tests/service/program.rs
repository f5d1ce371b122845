//! The program by itself: its arguments, its starter, its signals.

use std::process::{Command, Output};

use crate::common::{Service, faulty, folder, normal, until, uploads};

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
