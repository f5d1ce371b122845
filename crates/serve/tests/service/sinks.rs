//! Deliveries: tried again until they are taken, and once only.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
};

use serde_json::Value;

use crate::common::{Service, faulty, has, say, until, uploads};

/// A web server that answers with these statuses, then with 200; tells headers and body of every request.
fn receiver(statuses: &'static [u16]) -> (u16, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (to, requests) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter().copied();
        for stream in listener.incoming().map_while(Result::ok) {
            let request = read_request(&stream);
            let status = statuses.next().unwrap_or(200);
            let mut stream = stream;
            let _ = write!(
                stream,
                "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            if to.send(request).is_err() {
                return;
            }
        }
    });
    (port, requests)
}

fn read_request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).expect("a request") == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (head, String::from_utf8(body).expect("text"))
}

#[test]
fn a_webhook_that_fails_three_times_gets_the_event_once_it_can_take_it() {
    let (port, requests) = receiver(&[500, 500, 500]);
    let config = format!(
        "{}[sink.hook]\nwebhook = {{ url = \"http://127.0.0.1:{port}/alarms\", secret = {{ file = \"key\" }} }}\n",
        uploads(&["pump"])
    );
    let folder = crate::common::folder(&config);
    std::fs::write(folder.path().join("key"), "swordfish\n").expect("a secret");
    let service = Service::start_in(&folder);
    service.upload("pump", &faulty());
    let told: Vec<(String, String)> = (0..4)
        .map(|_| requests.recv_timeout(std::time::Duration::from_mins(1)).expect("a request"))
        .collect();
    assert!(told.iter().all(|request| request.1 == told[0].1), "the same event each time");
    let event: Value = serde_json::from_str(&told[3].1).expect("JSON");
    assert_eq!(
        (event["machine"].as_str(), event["kind"].as_str()),
        (Some("pump"), Some("alarm.began"))
    );
    let head = told[3].0.to_lowercase();
    assert!(
        head.contains("x-offkey-signature: sha256=") && head.contains("idempotency-key: pump."),
        "{head}"
    );
    until("the outbox to be empty", || {
        (service.get("/api/health")["outbox"] == serde_json::json!({})).then_some(())
    });
    assert!(requests.try_recv().is_err(), "nothing is told twice");
    assert!(!service.said().contains("swordfish"), "no secret is logged");
}

#[test]
fn a_receiver_that_refuses_for_good_does_not_hold_up_others_and_is_counted() {
    let (port, requests) = receiver(&[400]);
    let config = format!(
        "{}[sink.hook]\nwebhook = {{ url = \"http://127.0.0.1:{port}/\" }}\n",
        uploads(&["pump"])
    );
    let service = Service::start(&config);
    service.upload("pump", &faulty());
    service.until_phase("pump", "active_unacknowledged");
    service.post("/api/machines/pump/acknowledge", b"{}");
    let kinds: Vec<String> = (0..2)
        .map(|_| requests.recv_timeout(std::time::Duration::from_mins(1)).expect("a request").1)
        .collect();
    assert!(
        kinds[0].contains("alarm.began") && kinds[1].contains("alarm.acknowledged"),
        "{kinds:?}"
    );
    until("both to be counted", || {
        let counters = &service.get("/api/health")["counters"];
        (counters["refused/hook"] == 1 && counters["delivered/hook"] == 1).then_some(())
    });
}

#[test]
fn mail_is_sent_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (to, letters) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = to.send(take_mail(stream));
        }
    });
    let config = format!(
        "{}[sink.mail]\nmail = {{ server = \"smtp://127.0.0.1:{port}\", from = \"offkey@example.org\", to = [\"shift@example.org\"] }}\n",
        uploads(&["pump"])
    );
    let service = Service::start(&config);
    service.upload("pump", &faulty());
    let letter = letters.recv_timeout(std::time::Duration::from_mins(1)).expect("a letter");
    assert!(
        letter.contains("Subject: pump: alarm.began") && letter.contains("Reason:"),
        "{letter}"
    );
}

/// As much of a mail server as it takes.
fn take_mail(mut stream: TcpStream) -> String {
    let mut lines =
        BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
    let mut letter = String::new();
    let _ = write!(stream, "220 test\r\n");
    while let Some(line) = lines.next() {
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => "250 test",
            "DATA" => {
                let _ = write!(stream, "354 go on\r\n");
                letter =
                    lines.by_ref().take_while(|line| line != ".").collect::<Vec<_>>().join("\n");
                "250 taken"
            }
            "QUIT" => {
                let _ = write!(stream, "221 bye\r\n");
                break;
            }
            _ => "250 ok",
        };
        let _ = write!(stream, "{answer}\r\n");
    }
    letter
}

#[test]
fn prometheus_takes_the_numbers() {
    let service = Service::start(&uploads(&["pump"]));
    service.upload("pump", &faulty());
    service.until_phase("pump", "active_unacknowledged");
    let mut answer = ureq::get(service.url("/metrics")).call().expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    for line in [
        "offkey_alarm_active{machine=\"pump\"} 1",
        "offkey_model_ok{machine=\"pump\"} 1",
        "offkey_windows_total{machine=\"pump\",verdict=\"alarm\"}",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    if !has("prometheus") {
        return;
    }
    let port = crate::common::free_port();
    let target = service.url("").replace("http://", "");
    let rules = "groups: [{ name: offkey, rules: [{ alert: MachineSound, expr: 'offkey_alarm_active == 1' }] }]\n";
    std::fs::write(service.path("rules.yml"), rules).expect("rules");
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yml]\n\
         scrape_configs: [{{ job_name: offkey, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    std::fs::write(service.path("prometheus.yml"), config).expect("a configuration");
    let mut prometheus = std::process::Command::new("prometheus")
        .args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=tsdb",
            &format!("--web.listen-address=127.0.0.1:{port}"),
        ])
        .current_dir(service.folder.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("prometheus starts");
    let fired = until("the rule to fire", || {
        let url = format!("http://127.0.0.1:{port}/api/v1/alerts");
        let text = ureq::get(url).call().ok()?.body_mut().read_to_string().ok()?;
        text.contains("\"alertname\":\"MachineSound\"").then_some(text)
    });
    let _ = prometheus.kill();
    let _ = prometheus.wait();
    assert!(fired.contains("\"machine\":\"pump\""), "{fired}");
    say("prometheus scraped the service and its rule fired");
}
