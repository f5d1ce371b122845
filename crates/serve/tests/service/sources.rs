//! Sources that die in every way there is: each is told within seconds, and so is its end.

use std::fs::{self, OpenOptions};
use std::io::Write;

use crate::common::{RULE, Service, bytes_of, faulty, has, normal, wav};

fn machine(source: &str, more: &str) -> String {
    format!(
        "[machine.pump]\nmodel = \"model.offkey\"\nsource = {source}\n[machine.pump.alarm]\n{RULE}\
         [machine.pump.liveness]\nstalled_after = \"1500ms\"\nsilent_after = \"1s\"\n{more}"
    )
}

#[test]
fn the_end_of_a_command_is_a_fault_whatever_its_exit_code_and_it_is_started_again() {
    // Half of the sound, then the end with exit code 0, as ffmpeg does when a camera goes away.
    let source = "{ command = { run = [\"sh\", \"-c\", \"head -c 64000 sound.raw; exit 0\"] } }";
    let folder = crate::common::folder(&machine(source, ""));
    fs::write(folder.path().join("sound.raw"), bytes_of(normal())).expect("sound");
    let service = Service::start_in(&folder);
    service.until_event("pump", "source.ended");
    service.until_event("pump", "source.ended.over");
    let events = service.get("/api/machines/pump/events?most=500");
    let ended =
        events.as_array().expect("events").iter().find(|event| event["kind"] == "source.ended");
    let reason = ended.expect("the event")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("exit status: 0") && reason.contains("tried again"), "{reason}");
}

#[test]
fn a_command_that_says_nothing_is_stalled() {
    let source = "{ command = { run = [\"sleep\", \"600\"] } }";
    let service = Service::start(&machine(source, ""));
    service.until_event("pump", "source.stalled");
    // The command ends with the service.
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn silence_and_its_end_are_told() {
    let source = "{ file = { path = \"growing.raw\" } }";
    let folder = crate::common::folder(&machine(source, ""));
    let path = folder.path().join("growing.raw");
    fs::write(&path, vec![0; 96_000]).expect("silence");
    let service = Service::start_in(&folder);
    service.until_event("pump", "source.silent");
    let mut file = OpenOptions::new().append(true).open(&path).expect("the file");
    file.write_all(&bytes_of(normal())).expect("sound");
    service.until_event("pump", "source.silent.over");
    assert!(
        !service.kinds("pump").contains(&"alarm.began".to_owned()),
        "{:?}",
        service.kinds("pump")
    );
}

#[test]
fn another_microphone_is_no_alarm() {
    let source = "{ file = { path = \"growing.raw\" } }";
    let folder = crate::common::folder(&machine(source, ""));
    let quiet: Vec<i16> = normal().iter().map(|sample| sample / 100).collect();
    fs::write(folder.path().join("growing.raw"), bytes_of(&quiet)).expect("quiet sound");
    let service = Service::start_in(&folder);
    service.until_event("pump", "source.other_microphone");
    assert!(!service.kinds("pump").contains(&"alarm.began".to_owned()));
}

#[test]
fn a_folder_with_subfolders_is_heard_and_what_cannot_be_is_told() {
    let folder = crate::common::folder(&machine("{ folder = \"in\" }", ""));
    let day = folder.path().join("in/2026/11/28");
    fs::create_dir_all(&day).expect("a folder");
    fs::write(day.join("a.wav"), wav(&faulty())).expect("a recording");
    fs::write(day.join("b.wav"), b"garbage").expect("garbage");
    let service = Service::start_in(&folder);
    service.until_event("pump", "alarm.began");
    service.until_event("pump", "source.left_out");
}

#[test]
fn ffmpeg_is_a_source() {
    if !has("ffmpeg") {
        return;
    }
    let run = r#"["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", "sound.wav", "-f", "s16le", "-ac", "1", "-ar", "16000", "-"]"#;
    let folder = crate::common::folder(&machine(&format!("{{ command = {{ run = {run} }} }}"), ""));
    fs::write(folder.path().join("sound.wav"), wav(&faulty())).expect("a recording");
    let service = Service::start_in(&folder);
    service.until_event("pump", "alarm.began");
    assert!(
        !service.kinds("pump").iter().any(|kind| kind.starts_with("source.")),
        "{:?}",
        service.kinds("pump")
    );
}
