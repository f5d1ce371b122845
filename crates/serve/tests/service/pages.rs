//! The pages and the interface: who may come in, what is refused, and a real browser from set-up to an
//! acknowledged alarm.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::common::{
    Service, faulty, folder, has, has_one_of, make_certificate, normal, recordings, say, until,
    uploads, wav,
};

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn status(request: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> u16 {
    request.expect("an answer").status().as_u16()
}

#[test]
fn strangers_stay_outside() {
    let config = "[web]\nlisten = \"127.0.0.1:0\"\npassword = { file = \"password\" }\ntoken = { file = \"token\" }\n".to_owned()
        + &uploads(&["pump"]);
    let folder = folder(&config);
    fs::write(folder.path().join("password"), "open sesame\n").expect("a password");
    fs::write(folder.path().join("token"), "t0ken-of-16-chars\n").expect("a token");
    let service = Service::start_in(&folder);
    let agent = agent();
    let get = |path: &str| status(agent.get(service.url(path)).call());
    assert_eq!(
        [get("/api/machines"), get("/metrics"), get("/api/live"), get("/")],
        [401, 401, 401, 200]
    );
    let bearer = |token: &str| {
        status(
            agent
                .get(service.url("/api/machines"))
                .header("Authorization", format!("Bearer {token}"))
                .call(),
        )
    };
    assert_eq!([bearer("t0ken-of-16-chars"), bearer("t0ke"), bearer("")], [200, 401, 401]);
    let login = |password: &str| {
        let body = serde_json::json!({ "password": password }).to_string();
        agent
            .post(service.url("/api/login"))
            .header("Content-Type", "application/json")
            .send(body)
            .expect("an answer")
    };
    let mut good = login("open sesame");
    assert_eq!(good.status(), 200);
    let cookie = good.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let text = good.body_mut().read_to_string().expect("text");
    let csrf = serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["csrf"]
        .as_str()
        .expect("a token")
        .to_owned();
    let acknowledge = |csrf: &str| {
        let request =
            agent.post(service.url("/api/machines/pump/acknowledge")).header("Cookie", &cookie);
        status(request.header("X-CSRF-Token", csrf).send("{}"))
    };
    assert_eq!([acknowledge(&csrf), acknowledge("guess")], [200, 403]);
    let attempts: Vec<u16> = (0..7).map(|_| login("wrong").status().as_u16()).collect();
    assert_eq!(attempts, [401, 401, 401, 401, 401, 429, 429]);
    assert!(!service.said().contains("sesame") && !service.said().contains("t0ken"));
}

#[test]
fn guesses_of_the_token_have_to_wait_and_keep_no_person_out() {
    let config = "[web]\nlisten = \"127.0.0.1:0\"\npassword = { file = \"password\" }\ntoken = { file = \"token\" }\n".to_owned()
        + &uploads(&["pump"]);
    let folder = folder(&config);
    fs::write(folder.path().join("password"), "open sesame\n").expect("a password");
    fs::write(folder.path().join("token"), "0123456789abcdef\n").expect("a token");
    let service = Service::start_in(&folder);
    let agent = agent();
    let with = |token: &str| {
        let request = agent.get(service.url("/api/machines"));
        status(request.header("Authorization", format!("Bearer {token}")).call())
    };
    let guesses: Vec<u16> = (0..7).map(|guess| with(&guess.to_string())).collect();
    assert_eq!(guesses, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(with("0123456789abcdef"), 429);
    assert_eq!(service.post("/api/login", b"{\"password\":\"open sesame\"}").0, 200);
}

#[test]
fn the_pages_speak_https_with_ones_own_certificate() {
    if !has("openssl") {
        return;
    }
    let config = "[web]\nlisten = \"127.0.0.1:0\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\npassword = { file = \"password\" }\n".to_owned()
        + &uploads(&["pump"]);
    let folder = folder(&config);
    make_certificate(folder.path());
    fs::write(folder.path().join("password"), "open sesame\n").expect("a password");
    let service = Service::start_in(&folder);
    assert!(service.url("").starts_with("https://"), "{}", service.url(""));
    let trusting = |ca: &[u8]| -> ureq::Agent {
        let ca = ureq::tls::Certificate::from_pem(ca).expect("a certificate");
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(ureq::tls::RootCerts::new_with_certs(&[ca]))
            .build();
        ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls).build().into()
    };
    let first = fs::read(folder.path().join("ca.pem")).expect("the authority");
    let login = |agent: &ureq::Agent| {
        agent
            .post(service.url("/api/login"))
            .header("Content-Type", "application/json")
            .send("{\"password\":\"open sesame\"}")
    };
    let answer = login(&trusting(&first)).expect("an answer");
    assert_eq!(answer.status(), 200);
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    // Who asks without encryption is told.
    let plain = service.url("/").replace("https", "http");
    let mut answer = agent().get(plain).call().expect("an answer");
    assert_eq!(answer.status(), 400);
    assert!(answer.body_mut().read_to_string().expect("text").contains("speaks HTTPS"));
    // A renewed certificate is used after a signal, without a restart.
    make_certificate(folder.path());
    let renewed = fs::read(folder.path().join("ca.pem")).expect("the authority");
    service.signal("HUP");
    until("the new certificate", || login(&trusting(&renewed)).ok());
    assert!(login(&trusting(&first)).is_err());
}

#[test]
fn other_sites_cannot_make_a_browser_ask() {
    let service = Service::start(&uploads(&["pump"]));
    let agent = agent();
    let shelve = |name: &'static str, value: &str| {
        let request = agent
            .post(service.url("/api/machines/pump/shelve"))
            .header("Content-Type", "application/json");
        status(request.header(name, value).send("{\"for\":\"1h\"}"))
    };
    assert_eq!(shelve("Origin", "http://evil.example"), 403);
    assert_eq!(shelve("Host", "evil.example:7080"), 403);
    assert_eq!(shelve("Origin", &service.url("")), 200);
    let answer = agent.get(service.url("/")).call().expect("an answer");
    let policy = answer.headers()["content-security-policy"].to_str().expect("text");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
}

#[test]
fn uploads_are_bounded_and_names_are_no_paths() {
    let config =
        "[web]\nlisten = \"127.0.0.1:0\"\nupload_mb = 1\n".to_owned() + &uploads(&["pump"]);
    let service = Service::start(&config);
    let post = |path: &str, body: &[u8]| service.post(path, body).0;
    assert_eq!(post("/api/machines/pump/sound", b"garbage"), 415);
    assert_eq!(post("/api/machines/pump/sound", &wav(&vec![0; 600_000])), 413);
    assert_eq!(post("/api/machines/absent/sound", &wav(normal())), 404);
    let agent = agent();
    for path in [
        "/api/clips/pump/..%2F..%2Fserve.toml",
        "/api/clips/..%2F/serve.toml",
        "/api/machines/..%2Fx",
    ] {
        assert_eq!(status(agent.get(service.url(path)).call()), 404, "{path}");
    }
    let left = fs::read_dir(service.path("offkey-data/uploads/pump")).expect("the folder").count();
    assert_eq!(left, 0, "what was refused is gone");
}

/// Whether the program that learns lies beside the service; says so where it does not.
fn can_learn() -> bool {
    let beside = Path::new(env!("CARGO_BIN_EXE_offkey-serve")).with_file_name("offkey");
    let found = beside.is_file();
    if !found {
        say("SKIPPED: learning needs `offkey` beside `offkey-serve`: build the workspace");
    }
    found
}

#[test]
fn a_sound_called_normal_is_learned_and_can_be_taken_back() {
    if !can_learn() {
        return;
    }
    let config =
        "[machine.pump]\nsource = { upload = {} }\n[machine.pump.alarm]\nalarms = 1\nwindows = 1\n";
    let service = Service::start(config);
    for sound in recordings("train_normal") {
        assert_eq!(service.post("/api/machines/pump/normals", &wav(&sound)).0, 200);
    }
    assert_eq!(service.post("/api/machines/pump/learn", b"{}").0, 200);
    let learned = until("the model", || {
        let state = service.get("/api/machines/pump/learn");
        (state["learning"]["running"] == false).then_some(state)
    });
    assert_eq!(learned["learning"]["good"], true, "{learned}");
    service.upload("pump", &faulty());
    service.until_event("pump", "alarm.began");
    let events = service.get("/api/machines/pump/events?most=500");
    let mut alarms = events.as_array().expect("events").iter();
    let event = alarms.find(|event| event["kind"] == "alarm.began").expect("an alarm");
    let promise = || service.get("/api/machines/pump")["model"]["promise"].clone();
    let before = promise();
    let say = |body: serde_json::Value, path: &str| {
        let (status, text) = service.post(path, body.to_string().as_bytes());
        (status, serde_json::from_str::<serde_json::Value>(&text).expect("JSON"))
    };
    let normal = serde_json::json!({ "event": event["id"], "kind": "normal" });
    let (refused, text) = say(normal.clone(), "/api/machines/pump/feedback");
    assert_eq!(refused, 409, "a fault is not taken in unless forced: {text}");
    let mut forced = normal;
    forced["force"] = true.into();
    let (taken, said) = say(forced, "/api/machines/pump/feedback");
    assert_eq!(taken, 200, "{said}");
    let taken_back = serde_json::json!({ "id": said["id"] });
    assert_eq!(say(taken_back, "/api/machines/pump/feedback/undo").0, 200);
    assert_eq!(promise(), before);
    let fault = serde_json::json!({ "event": event["id"], "kind": "fault", "name": "bearing" });
    assert_eq!(say(fault, "/api/machines/pump/feedback").0, 200);
    let rows = service.get("/api/machines/pump/feedback");
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    let faults = service.get("/api/machines/pump/faults");
    assert_eq!(
        (&faults[0]["name"], &faults[0]["kept"]),
        (&"bearing".into(), &"wav".into()),
        "{faults}"
    );
    let id = event["id"].as_str().expect("a name");
    let kept =
        || status(agent().get(service.url(&format!("/api/machines/pump/faults/{id}"))).call());
    assert_eq!(kept(), 200);
    let taken_back = serde_json::json!({ "id": rows[0]["id"] });
    assert_eq!(say(taken_back, "/api/machines/pump/feedback/undo").0, 200);
    assert_eq!(kept(), 404);
}

#[test]
fn a_browser_goes_from_set_up_to_an_acknowledged_alarm() {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    if !has("python3") || !has_one_of(&browsers) || !can_learn() {
        return;
    }
    let mut config = String::new();
    config += &uploads(&["m1", "m2", "m3", "m4", "m5", "m6", "m7"]);
    config += "[machine.new]\ntitle = \"Press 4\"\nplace = \"Hall 2\"\nsource = { upload = {} }\n[machine.new.alarm]\nalarms = 2\nwindows = 3\ncalm_windows = 3\n";
    let service = Service::start(&config);
    for (index, sound) in recordings("train_normal").iter().enumerate() {
        fs::write(service.path(&format!("normal-{index:02}.wav")), wav(sound))
            .expect("a recording");
    }
    fs::write(service.path("fault.wav"), wav(&faulty())).expect("a recording");
    for machine in ["m1", "m2", "m3", "m4", "m5", "m6", "m7"] {
        service.upload(machine, normal());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/browser.py");
    let pictures = std::env::var("OFFKEY_PICTURES").unwrap_or_default();
    let output = Command::new("python3")
        .arg(script)
        .arg(service.url(""))
        .arg(service.folder.path())
        .arg(pictures)
        .stdin(Stdio::null())
        .output()
        .expect("python starts");
    say(&String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        service.said()
    );
}
