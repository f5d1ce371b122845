//! What is refused says why, and always in the same form.

use serde_json::Value;

use crate::common::{RULE, Service, folder, normal, until, uploads};

fn error_of(text: &str) -> String {
    let told: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    told["error"].as_str().unwrap_or_else(|| panic!("no error: {text}")).to_owned()
}

#[test]
fn every_refusal_is_json_with_a_sentence() {
    let service = Service::start(&uploads(&["pump"]));
    let post = |path: &str, body: &str| {
        let (status, text) = service.post(path, body.as_bytes());
        (status, error_of(&text))
    };
    let shelve = "/api/machines/pump/shelve";
    let large = format!("{{\"for\": \"{}\"}}", "x".repeat(100_000));
    for (path, body, status, part) in [
        (shelve, "{", 400, "the body is not JSON: EOF while parsing"),
        (shelve, "[]", 422, "what it expects stands in /api/openapi.json"),
        (shelve, "{\"for\": 7}", 422, "expected a string"),
        (shelve, "{\"fore\": \"1h\"}", 422, "unknown field `fore`"),
        (shelve, "{\"for\": \"soon\"}", 400, "length of time"),
        (shelve, large.as_str(), 413, "too large"),
        ("/api/machines/pump/trend", "{}", 405, "`POST` is not for"),
        ("/api/machines/pump/events/7", "{}", 404, "/api/openapi.json"),
        ("/api/nothing", "{}", 404, "there is nothing at `/api/nothing`"),
        ("/nothing", "{}", 404, "there is nothing at `/nothing`"),
        ("/api/machines/none/reset", "{}", 404, "there is no machine `none`"),
    ] {
        let (found, told) = post(path, body);
        assert!(found == status && told.contains(part), "{path} {found}: {told}");
    }
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let asked = |path: &str| {
        let mut answer = agent.get(service.url(path)).call().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    let (status, text) = asked("/api/machines/pump/trend?from_ms=x&to_ms=1");
    assert!(status == 400 && error_of(&text).contains("the query does not fit"), "{text}");
    let plain = agent.post(service.url(shelve)).send("{\"for\": \"1h\"}").expect("an answer");
    assert_eq!(plain.status().as_u16(), 415);
}

#[test]
fn learning_without_recordings_says_what_to_do() {
    let service = Service::start(&uploads(&["pump"]));
    let learn = || {
        let (status, text) = service.post("/api/machines/pump/learn", b"{}");
        (status, error_of(&text))
    };
    let (status, told) = learn();
    assert_eq!(status, 409);
    assert!(told.contains("`pump` has 0") && told.contains("/normals"), "{told}");
    let sent = service.post("/api/machines/pump/normals", &crate::common::wav(&normal()[..32_000]));
    assert_eq!(sent.0, 200, "{}", sent.1);
    assert!(learn().1.contains("`pump` has 1"));
}

#[test]
fn a_command_that_ends_is_named_with_the_last_line_it_said() {
    let run = "[\"sh\", \"-c\", \"echo opening >&2; echo 'Connection refused' >&2; exit 3\"]";
    let text = format!(
        "[machine.pump]\nmodel = \"model.offkey\"\nsource = {{ command = {{ run = {run} }} }}\n[machine.pump.alarm]\n{RULE}"
    );
    let service = Service::start_in(&folder(&text));
    let reason = until("the end of the command", || {
        let events = service.get("/api/machines/pump/events?most=50");
        let ended = events.as_array()?.iter().find(|event| event["kind"] == "source.ended")?;
        Some(ended["reason"].as_str()?.to_owned())
    });
    for part in ["`sh`", "exit status: 3", "it said last: Connection refused", "tried again in"] {
        assert!(reason.contains(part), "{part} in {reason}");
    }
    // What it said is still to be seen where it was seen before.
    assert!(service.said().contains("opening"), "{}", service.said());
}
