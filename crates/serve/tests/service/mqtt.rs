//! A real broker, killed and started again in the middle.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use crate::common::{
    Service, faulty, folder, free_port, has, make_certificate, normal, until, uploads,
};

pub(crate) struct Broker {
    child: Child,
}

impl Broker {
    pub(crate) fn start(port: u16) -> Self {
        Self::start_with(port, &["-p", &port.to_string()], Path::new("."))
    }

    fn start_with(port: u16, words: &[&str], folder: &Path) -> Self {
        let child = Command::new("mosquitto")
            .args(words)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        until("the broker", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that is published, topic and message, as it comes.
struct Listener {
    child: Child,
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Listener {
    fn start(port: u16) -> Self {
        Self::start_with(port, &[], Path::new("."))
    }

    fn start_with(port: u16, words: &[&str], folder: &Path) -> Self {
        let mut child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-v", "-t", "#"])
            .args(words)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto_sub starts");
        let heard: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (lines, all) =
            (BufReader::new(child.stdout.take().expect("a pipe")), Arc::clone(&heard));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some((topic, message)) = line.split_once(' ') {
                    all.lock().expect("the messages").push((topic.to_owned(), message.to_owned()));
                }
            }
        });
        Self { child, heard }
    }

    fn of(&self, topic: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("the messages");
        heard
            .iter()
            .filter(|(found, _)| found == topic)
            .map(|(_, message)| message.clone())
            .collect()
    }

    fn until_last(&self, topic: &str, what: &str, is: impl Fn(&str) -> bool) {
        until(what, || self.of(topic).last().filter(|message| is(message)).map(|_| ()));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a broker and its clients are there; says so where one is not.
fn has_broker() -> bool {
    ["mosquitto", "mosquitto_sub", "mosquitto_pub"].into_iter().all(has)
}

fn publish(port: u16, topic: &str, message: &str) {
    let done = Command::new("mosquitto_pub")
        .args(["-p", &port.to_string(), "-q", "1", "-t", topic, "-m", message])
        .status();
    assert!(done.expect("mosquitto_pub starts").success());
}

fn config(port: u16) -> String {
    let sink = format!(
        "[sink.plant]\nmqtt = {{ url = \"mqtt://127.0.0.1:{port}\", home_assistant = true }}\n"
    );
    uploads(&["pump"]) + &sink
}

fn state(message: &str) -> String {
    let value: Value = serde_json::from_str(message).unwrap_or_default();
    value["state"].as_str().unwrap_or_default().to_owned()
}

const STATE: &str = "offkey/machine/pump/state";
const EVENT: &str = "offkey/machine/pump/event";

#[test]
fn an_alarm_reaches_a_broker_that_was_away_when_it_began_once() {
    if !has_broker() {
        return;
    }
    let port = free_port();
    let broker = Broker::start(port);
    let service = Service::start(&config(port));
    let listener = Listener::start(port);
    listener.until_last(STATE, "the first state", |message| state(message) == "normal");
    drop(listener);
    drop(broker);
    service.upload("pump", &faulty());
    service.until_phase("pump", "active_unacknowledged");
    until("the event to wait", || {
        (service.get("/api/health")["outbox"]["plant"] == 1).then_some(())
    });
    let _broker = Broker::start(port);
    let listener = Listener::start(port);
    listener.until_last(STATE, "the alarm's state", |message| {
        state(message) == "active_unacknowledged"
    });
    until("the event", || (!listener.of(EVENT).is_empty()).then_some(()));
    publish(port, "offkey/machine/pump/command", "acknowledge");
    service.until_phase("pump", "active_acknowledged");
    listener.until_last(STATE, "the acknowledged state", |message| {
        state(message) == "active_acknowledged"
    });
    service.upload("pump", normal());
    listener.until_last(EVENT, "the end", |message| message.contains("alarm.cleared"));
    let kinds: Vec<String> = listener
        .of(EVENT)
        .iter()
        .map(|message| {
            serde_json::from_str::<Value>(message).expect("JSON")["kind"]
                .as_str()
                .expect("a kind")
                .to_owned()
        })
        .collect();
    assert_eq!(kinds, ["alarm.began", "alarm.acknowledged", "alarm.returned", "alarm.cleared"]);
    // A machine that somebody switched off is not judged, whoever says so.
    let operating = |what: &str| {
        until(what, || (service.view("pump")["operating"] == what).then_some(()));
    };
    publish(port, "offkey/machine/pump/command", "off");
    operating("off");
    service.upload("pump", &faulty());
    let waiting = service.path("offkey-data/uploads/pump");
    until("the recording to be heard", || {
        std::fs::read_dir(&waiting).expect("the uploads").next().is_none().then_some(())
    });
    assert_eq!(service.view("pump")["phase"], "normal");
    let (status, text) = service.post("/api/machines/pump/running", b"{\"running\": true}");
    assert_eq!(status, 200, "{text}");
    operating("running");
    let began = service.kinds("pump").iter().filter(|kind| *kind == "alarm.began").count();
    assert_eq!(began, 1, "{:?}", service.kinds("pump"));
    service.kill();
    listener.until_last("offkey/status", "the last will", |message| message == "offline");
}

#[test]
fn home_assistant_is_told_of_the_machine() {
    if !has_broker() {
        return;
    }
    let port = free_port();
    let _broker = Broker::start(port);
    let listener = Listener::start(port);
    let service = Service::start(&config(port));
    let topic = "homeassistant/device/offkey_pump/config";
    let found = until("the discovery", || listener.of(topic).last().cloned());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/home_assistant.json");
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(golden).expect("the golden file"))
            .expect("JSON");
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found, expected, "{found:#}");
    assert_eq!(service.stop(), Some(0));
    listener.until_last("offkey/status", "the end", |message| message == "offline");
}

#[test]
fn a_broker_with_tls_and_a_password_hears_of_the_alarm() {
    if !has_broker() || !has("openssl") || !has("mosquitto_passwd") {
        return;
    }
    let port = free_port();
    let config = uploads(&["pump"])
        + &format!(
            "[sink.plant]\nmqtt = {{ url = \"mqtts://127.0.0.1:{port}\", ca = \"ca.pem\", user = \"offkey\", password = {{ file = \"password\" }} }}\n"
        );
    let folder = folder(&config);
    let here = folder.path();
    make_certificate(here);
    std::fs::write(here.join("password"), "swordfish\n").expect("a password");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c", "users", "offkey", "swordfish"])
        .current_dir(here)
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("mosquitto_passwd starts").success());
    // Started by root the broker gives its rights away, and could not read the key then.
    let broker = format!(
        "user root\nlistener {port} 127.0.0.1\ncafile ca.pem\ncertfile cert.pem\nkeyfile key.pem\n\
         allow_anonymous false\npassword_file users\n"
    );
    std::fs::write(here.join("broker.conf"), broker).expect("a configuration");
    let _broker = Broker::start_with(port, &["-c", "broker.conf"], here);
    let words = ["--cafile", "ca.pem", "-u", "offkey", "-P", "swordfish"];
    let listener = Listener::start_with(port, &words, here);
    let service = Service::start_in(&folder);
    listener.until_last(STATE, "the first state", |message| state(message) == "normal");
    service.upload("pump", &faulty());
    listener.until_last(EVENT, "the alarm", |message| message.contains("alarm.began"));
    assert!(!service.said().contains("swordfish"), "no secret is logged");
}
