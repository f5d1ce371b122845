//! A fleet with real parts: a store behind a web server, signed models, a plan that is rolled out, tried and taken back;
//! a real broker that keeps how thousands of computers fare.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use offkey_testkit::{NoiseModel, noise, strange};
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, PublishOptions, QoS};
use serde_json::{Value, json};

use crate::{
    common::{RULE, Service, faulty, folder, free_port, has, make_certificate, say, until},
    mqtt::Broker,
};

/// Samples of a window.
const WINDOW: usize = 8000;

fn sound(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|sample| (sample * 32_767.0) as i16).collect()
}

/// A web server for the files of a folder, with `ETag`, as every object store has it.
struct Web {
    port: u16,
    open: Arc<AtomicBool>,
    /// Files that were sent whole.
    sent: Arc<AtomicUsize>,
}

impl Web {
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (open, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (is_open, counted) = (Arc::clone(&open), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // While it is closed, whoever comes finds nobody.
                if is_open.load(Ordering::Relaxed) && answer(&stream, &folder).is_some() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { port, open, sent }
    }
}

/// Answers one request; none: nothing was sent.
fn answer(stream: &TcpStream, folder: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let has = |header: &str| headers.iter().any(|line| line.eq_ignore_ascii_case(header));
    let mut stream = stream;
    let mut say = |text: &str| stream.write_all(text.as_bytes()).ok();
    if !has("authorization: Bearer a long enough token") {
        say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        return None;
    }
    let Ok(bytes) = fs::read(folder.join(path)) else {
        say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        return None;
    };
    let sum = bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
    if has(&format!("if-none-match: \"{sum:x}\"")) {
        say("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")?;
        return None;
    }
    say(&format!(
        "HTTP/1.1 200 OK\r\nETag: \"{sum:x}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    ))?;
    stream.write_all(&bytes).ok()
}

/// `offkey-serve fleet …`, which must do it; what it said.
fn fleet(folder: &Path, words: &[&str]) -> String {
    let (done, said) = try_fleet(folder, words);
    assert!(done, "{words:?}: {said}");
    said
}

fn try_fleet(folder: &Path, words: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_offkey-serve"))
        .arg("fleet")
        .args(words)
        .current_dir(folder)
        .output()
        .expect("the program starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The person who answers for the models.
struct Owner<'f> {
    folder: &'f Path,
}

impl Owner<'_> {
    fn publish(&self, version: &str, model: &str, key: &str) {
        let words =
            ["publish", "store", model, "--name", "press", "--version", version, "--key", key];
        fleet(self.folder, &words);
    }

    fn plan(&self, more: &str, key: &str) {
        let text = format!("[[model]]\nname = \"press\"\nmachines = [\"pump\"]\n{more}");
        fs::write(self.folder.join("plan.toml"), text).expect("a plan");
        fleet(self.folder, &["plan", "store", "plan.toml", "--key", key]);
    }
}

fn until_state(service: &Service, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(what, || {
        let told = service.get("/api/machines/pump/fleet");
        is(&told).then_some(told)
    })
}

fn in_use<'v>(told: &'v Value) -> &'v str {
    told["state"]["model"].as_str().unwrap_or_default()
}

#[test]
fn models_are_rolled_out_tried_promoted_and_taken_back() {
    let folder = folder("");
    let here = folder.path();
    fs::create_dir(here.join("store")).expect("room");
    let web = Web::start(here.join("store"));
    let config = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[fleet]\nnode = \"hall-2-07\"\nstore = \"http://127.0.0.1:{}\"\n\
         keys = [\"owner.key.pub\"]\nevery = \"1s\"\ntoken = {{ file = \"token\" }}\n\
         [machine.pump]\nsource = {{ upload = {{}} }}\n[machine.pump.alarm]\n{RULE}",
        web.port
    );
    fs::write(here.join("serve.toml"), config).expect("a configuration");
    fs::write(here.join("token"), "a long enough token\n").expect("a token");
    // Two versions of a model of the noise machine.
    for (name, recordings) in [("first.offkey", 40), ("second.offkey", 48)] {
        NoiseModel::new(WINDOW, recordings).learn().save(&here.join(name)).expect("room");
    }
    let (normal, odd) = (sound(&noise(7, 8 * WINDOW)), sound(&strange(8, 8 * WINDOW)));
    fleet(here, &["keygen", "owner.key"]);
    fleet(here, &["keygen", "other.key"]);
    let owner = Owner { folder: here };
    owner.publish("1", "first.offkey", "owner.key");
    owner.publish("2", "second.offkey", "owner.key");
    let (done, said) = try_fleet(
        here,
        &["publish", "store", "second.offkey", "--name", "press", "--version", "1"],
    );
    assert!(!done && said.contains("take another version"), "{said}");
    owner.plan("version = \"1\"\n", "owner.key");

    let service = Service::start_in(&folder);
    until_state(&service, "the first version", |told| in_use(told) == "press 1");
    service.upload("pump", &odd);
    service.until_phase("pump", "active_unacknowledged");
    service.upload("pump", &normal);
    service.until_phase("pump", "returned_unacknowledged");
    // A plan that did not change is not sent again.
    let before = web.sent.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(web.sent.load(Ordering::Relaxed), before);

    owner.plan(
        "version = \"1\"\n[model.next]\nversion = \"2\"\nas = \"shadow\"\nshare = 1.0\n",
        "owner.key",
    );
    until_state(&service, "the trial", |told| told["state"]["tried"] == "press 2");
    service.upload("pump", &odd);
    service.upload("pump", &normal);
    // Both judge every window; the odd ones alarm.
    let told = until_state(&service, "the comparison", |told| told["compared"]["windows"] == 16);
    let count = |key: &str| told["compared"][key].as_u64().expect("a count");
    assert!(count("both") >= 6 && count("only_live") + count("only_shadow") <= 2, "{told}");
    // What is tried calls nobody: the alarms are those of the model in use.
    let kinds = service.kinds("pump");
    let called = |kind: &&String| ["alarm.began", "alarm.again"].contains(&kind.as_str());
    assert_eq!(kinds.iter().filter(called).count(), 2, "{kinds:?}");

    let decide = |service: &Service, verb: &str| {
        let (status, text) = service.post(&format!("/api/machines/pump/fleet/{verb}"), b"{}");
        assert_eq!(status, 200, "{verb}: {text}");
    };
    decide(&service, "promote");
    let told = until_state(&service, "the promotion", |told| in_use(told) == "press 2");
    assert_eq!((&told["state"]["by_hand"], &told["state"]["tried"]), (&json!(true), &Value::Null));
    decide(&service, "back");
    until_state(&service, "the way back", |told| in_use(told) == "press 1");
    let (status, _) = service.post("/api/machines/pump/fleet/drop", b"{}");
    assert_eq!(status, 409, "nothing is tried");

    // Power cut and no network: it goes on with what it has, and with what was decided here.
    service.kill();
    web.open.store(false, Ordering::Relaxed);
    let service = Service::start_in(&folder);
    until("the trouble to be told", || {
        let troubles = service.get("/api/fleet")["troubles"].clone();
        troubles.to_string().contains("cannot be had").then_some(())
    });
    assert_eq!(in_use(&service.get("/api/machines/pump/fleet")), "press 1");
    service.upload("pump", &odd);
    service.until_phase("pump", "active_unacknowledged");
    // Somebody else writes to the store: nothing of that is followed.
    owner.publish("3", "second.offkey", "other.key");
    owner.plan("version = \"3\"\n", "other.key");
    web.open.store(true, Ordering::Relaxed);
    until("the refusal", || {
        let troubles = service.get("/api/fleet")["troubles"].clone();
        troubles.to_string().contains("is signed with the key").then_some(())
    });
    owner.plan("version = \"2\"\n", "owner.key");
    until_state(&service, "the plan to count again", |told| in_use(told) == "press 2");
    let kinds = service.kinds("pump");
    let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((count("model.changed"), count("model.tried")), (4, 1), "{kinds:?}");
    assert_eq!(service.stop(), Some(0));
}

/// A program that ends with the test.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_store_behind_https_is_trusted_by_the_authority_that_is_named_and_no_other() {
    if !has("openssl") || !has("python3") {
        return;
    }
    let folder = folder("");
    let here = folder.path();
    make_certificate(here);
    fs::create_dir(here.join("store")).expect("room");
    NoiseModel::new(WINDOW, 40).learn().save(&here.join("first.offkey")).expect("room");
    fleet(here, &["keygen", "owner.key"]);
    let owner = Owner { folder: here };
    owner.publish("1", "first.offkey", "owner.key");
    owner.plan("version = \"1\"\n", "owner.key");
    let port = free_port();
    let server = "import http.server as h, ssl, sys\n\
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
        c.load_cert_chain('cert.pem', 'key.pem')\n\
        s = h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler)\n\
        s.socket = c.wrap_socket(s.socket, server_side=True)\n\
        s.serve_forever()\n";
    let mut python = Command::new("python3");
    python.args(["-c", server, &port.to_string()]).current_dir(here);
    let _server = Ends(python.stderr(std::process::Stdio::null()).spawn().expect("python starts"));
    let answers = || TcpStream::connect(("127.0.0.1", port)).ok();
    until("the web server", || answers().map(drop));
    let start = |ca: &str| {
        let config = format!(
            "[web]\nlisten = \"127.0.0.1:0\"\n[fleet]\nnode = \"hall\"\nstore = \"https://127.0.0.1:{port}/store\"\n\
             keys = [\"owner.key.pub\"]\nevery = \"1s\"\n{ca}[machine.pump]\nsource = {{ upload = {{}} }}\n"
        );
        fs::write(here.join("serve.toml"), config).expect("a configuration");
        Service::start_in(&folder)
    };
    let service = start("");
    until("the refusal", || {
        let troubles = service.get("/api/fleet")["troubles"].to_string();
        (troubles.contains("cannot be had") && troubles.contains("certificate")).then_some(())
    });
    assert_eq!(in_use(&service.get("/api/machines/pump/fleet")), "");
    assert_eq!(service.stop(), Some(0));
    let service = start("ca = \"ca.pem\"\n");
    until_state(&service, "the first version", |told| in_use(told) == "press 1");
    assert_eq!(service.stop(), Some(0));
    // A file without a certificate is told when the configuration is checked.
    fs::write(here.join("ca.pem"), "no certificate").expect("a file");
    let checked = Command::new(env!("CARGO_BIN_EXE_offkey-serve"))
        .args(["--check", "serve.toml"])
        .current_dir(here)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("ca.pem"), "{said}");
}

/// How a computer fares that there is not.
fn simulated(number: usize, at_ms: i64) -> (String, String) {
    let node = format!("sim-{number:04}");
    let version = if number.is_multiple_of(10) { 2 } else { 1 };
    let machine = json!({ "state": "normal", "active": number == 7, "troubles": [], "model": format!("press {version}") });
    let at_ms = if number == 8 { at_ms - 3_600_000 } else { at_ms };
    let health = json!({ "node": node, "program": "0", "at_ms": at_ms, "every_s": 600, "plan": 4, "troubles": [],
        "machines": { "pump": machine } });
    (format!("offkey/fleet/{node}/health"), health.to_string())
}

fn tell_all(port: u16, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let options = MqttOptions::new("simulation", ("127.0.0.1", port));
        let (client, mut events) = AsyncClient::builder(options).capacity(count + 8).build();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_ms = i64::try_from(since.expect("a clock").as_millis()).expect("a time");
        for number in 0..count {
            let (topic, message) = simulated(number, now_ms);
            let options = PublishOptions::new(QoS::AtLeastOnce).retain(true);
            client.try_publish(topic, message, options).expect("room");
        }
        let mut acknowledged = 0;
        while acknowledged < count {
            match events.poll().await.expect("the broker") {
                Event::Incoming(rumqttc::Incoming::PubAck(_)) => acknowledged += 1,
                Event::Outgoing(Outgoing::Disconnect) => break,
                _ => {}
            }
        }
    });
}

#[test]
fn the_health_of_five_thousand_computers_is_one_table() {
    if !has("mosquitto") {
        return;
    }
    let port = free_port();
    let broker = Broker::start(port);
    tell_all(port, 5000);
    let url = format!("mqtt://127.0.0.1:{port}");
    let config = format!(
        "[fleet]\nnode = \"real\"\nhealth = {{ url = \"{url}\" }}\nhealth_every = \"1s\"\n\
         [machine.pump]\nmodel = \"model.offkey\"\nsource = {{ upload = {{}} }}\n[machine.pump.alarm]\n{RULE}"
    );
    let folder = folder(&config);
    let service = Service::start_in(&folder);
    let status = |more: &[&str]| {
        let words = [&["status", "--broker", url.as_str()], more].concat();
        try_fleet(folder.path(), &words)
    };
    until("the real computer", || status(&[]).1.contains("\nreal ").then_some(()));
    let begun = Instant::now();
    let (done, said) = status(&["--bad"]);
    let took = begun.elapsed();
    assert!(done, "{said}");
    for part in [
        "5001 computers: 4999 well, 1 alarm, 0 trouble, 1 silent",
        "model press 1: 4500 machines",
        "model press 2: 500 machines",
        "model of its own: 1 machine",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("sim-")).count(), 2, "{said}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    say(&format!("a table of 5001 computers took {:.2} s", took.as_secs_f64()));
    // No more than was asked for, and an end that is said.
    let (done, said) = status(&["--most", "100"]);
    assert!(done && said.contains("more computers than 100"), "{said}");
    service.upload("pump", &faulty());
    service.until_phase("pump", "active_unacknowledged");
    until("the alarm", || status(&["--bad"]).1.contains("pump: alarm").then_some(()));
    // A broker that lost everything is told again.
    drop(broker);
    let (done, said) = status(&["--within", "2s"]);
    assert!(!done && said.contains("cannot be asked"), "{said}");
    let _broker = Broker::start(port);
    until("the real computer again", || {
        status(&["--json"]).1.contains("\"node\": \"real\"").then_some(())
    });
    assert_eq!(service.stop(), Some(0));
}
