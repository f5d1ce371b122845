//! Watching survives what days bring: kills, full disks, vanishing sources, garbage; and hears the
//! same as checking does. Everything through the real binary with the committed model.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::Value;

use super::sound::{EVERY_S, bytes_of, model, normal_sound, wav, wav_header, with_tone};
use crate::common::{Bench, stderr};

/// Two alarms of three windows open an event, three calm ones close it.
const RULE: [&str; 4] = ["--alarms", "2/3", "--calm", "3"];

/// A running `offkey watch`.
struct Watch {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(bench: &Bench, source: &str, words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offkey"))
            .args(["watch", source, "--model", &model(), "--windows"])
            .args(RULE)
            .args(words)
            .current_dir(bench.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// Waits for a line that says this; returns all up to it.
    fn until(&mut self, says: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut before = Vec::new();
        for line in &mut self.lines {
            let line = json(&line.expect("text"));
            let found = says(&line);
            before.push(line);
            if found {
                return before;
            }
        }
        let mut errors = String::new();
        let pipe = self.child.stderr.as_mut().expect("a pipe");
        pipe.read_to_string(&mut errors).expect("text");
        panic!("it ended before it said so: {errors}");
    }

    fn until_event(&mut self, kind: &str) -> Value {
        self.until(|line| line["event"] == kind).pop().expect("the event")
    }

    /// Waits for the window that begins there.
    fn until_window(&mut self, index: usize) {
        self.until(|line| line["window"]["start_s"] == index as f64 * EVERY_S);
    }

    /// What `kill -9` does.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, as a service manager does; returns exit code and standard error.
    fn stop(self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().expect("`kill` runs");
        assert!(asked.success());
        drop(self.lines);
        let output = self.child.wait_with_output().expect("it ends");
        (output.status.code(), stderr(&output))
    }
}

impl Bench {
    fn append(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
        file.write_all(bytes).expect("room");
    }

    /// Watches to the end of the source; returns the lines, exit code and standard error.
    fn watch_once(&self, source: &str, words: &[&str]) -> (Vec<Value>, Option<i32>, String) {
        let model = model();
        let line = ["watch", source, "--model", &model, "--windows", "--once"];
        let output = self.run_words(&[&line[..], &RULE, words].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        (text.lines().map(json).collect(), output.status.code(), stderr(&output))
    }

    fn log(&self, name: &str) -> Vec<Value> {
        String::from_utf8(self.read(name)).expect("text").lines().map(json).collect()
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// What is said of each window, scores to the bit.
fn windows(lines: &[Value]) -> Vec<(u64, Option<u64>, String)> {
    let windows = lines.iter().map(|line| &line["window"]).filter(|window| window.is_object());
    windows.map(heard).collect()
}

fn heard(window: &Value) -> (u64, Option<u64>, String) {
    let bits = |key: &str| window[key].as_f64().map(f64::to_bits);
    (bits("start_s").expect("a number"), bits("score"), window["reason"].to_string())
}

/// Kind, place and peak of events: what must not depend on how often a watch was restarted.
fn events(lines: &[Value]) -> Vec<String> {
    let events = lines.iter().filter(|line| line["event"].is_string());
    events
        .map(|e| format!("{} {} {} {}", e["event"], e["at_s"], e["peak_score"], e["p_value"]))
        .collect()
}

/// Eight seconds of normal sound, six with a strange tone, eight of normal sound.
fn fault(bench: &Bench) -> Vec<i16> {
    let sound = normal_sound(bench, 4);
    [sound.clone(), with_tone(&sound[..6 * 16_000]), sound].concat()
}

#[test]
fn watching_gives_the_scores_of_checking_to_the_bit() {
    let bench = Bench::new();
    let bytes = wav(&fault(&bench));
    bench.write("sound.wav", &bytes);
    let checked = bench.json(&format!("check sound.wav --model {} --json --windows", model()));
    let checked: Vec<_> =
        checked["clips"][0]["windows"].as_array().expect("windows").iter().map(heard).collect();
    assert_eq!(checked.len(), 44);

    let (file, code, _) = bench.watch_once("sound.wav", &[]);
    assert_eq!((windows(&file), code), (checked.clone(), Some(3)));

    let mut stream = Watch::start(&bench, "-", &[]);
    let mut input = stream.child.stdin.take().expect("a pipe");
    let mut rest = bytes.as_slice();
    for size in [1, 3, 777, 4096, 30_011].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, more) = rest.split_at(size.min(rest.len()));
        input.write_all(chunk).expect("it listens");
        rest = more;
    }
    drop(input);
    let lines: Vec<Value> = stream.lines.map(|line| json(&line.expect("text"))).collect();
    assert_eq!(windows(&lines), checked);
    stream.child.wait().expect("it ends with its input");

    bench.write("grown.wav", &wav_header(u32::MAX));
    let mut grown = Watch::start(&bench, "grown.wav", &[]);
    // A little more than the last window: the last bytes of a file that grows may be the beginning of
    // another header, and are waited with.
    let more = vec![0; 3200];
    for chunk in [&bytes[44..], &more].concat().chunks(100_001) {
        bench.append("grown.wav", chunk);
    }
    let lines = grown.until(|line| line["window"]["start_s"] == 43.0 * EVERY_S);
    assert_eq!(windows(&lines), checked);
    grown.kill();
}

#[test]
fn no_alarm_is_lost_or_repeated_over_kill_and_restart() {
    let bench = Bench::new();
    let sound = fault(&bench);
    bench.write("whole.wav", &wav(&sound));
    let (_, code, _) = bench.watch_once("whole.wav", &["--log", "whole.jsonl"]);
    assert_eq!(code, Some(3));
    let whole = events(&bench.log("whole.jsonl"));
    assert!(whole.len() >= 2 && whole[0].starts_with("\"start\""), "{whole:?}");

    bench.write("cut.wav", &wav_header(u32::MAX));
    let mut written = 0;
    for window in [2, 7, 14, 17, 20, 24, 28, 32, 36, 40] {
        // It may be killed anywhere from the window waited for to the third after it.
        let end = (window + 3) * 8_000;
        bench.append("cut.wav", &bytes_of(&sound[written..end]));
        written = end;
        let mut watch = Watch::start(&bench, "cut.wav", &["--log", "cut.jsonl"]);
        watch.until_window(window);
        watch.kill();
    }
    bench.append("cut.wav", &bytes_of(&sound[written..]));
    bench.watch_once("cut.wav", &["--log", "cut.jsonl"]);
    assert_eq!(events(&bench.log("cut.jsonl")), whole);
}

#[test]
fn an_event_that_spans_recordings_of_a_folder_survives_kills() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 4);
    let strange = with_tone(&sound);
    let put = |folder: &str, index: usize| {
        let parts = [&sound[..64_000], &strange, &strange[..64_000], &sound];
        let name = format!("{folder}/{index}.wav");
        bench.write(&name, &wav(parts[index]));
        let day = Duration::from_hours(24 * index as u64);
        set_modified(&bench.path(&name), SystemTime::UNIX_EPOCH + day);
    };
    (0..4).for_each(|index| put("whole", index));
    bench.watch_once("whole", &["--log", "whole.jsonl"]);
    let whole = events(&bench.log("whole.jsonl"));
    assert_eq!(whole.len(), 2, "{whole:?}");

    for index in 0..3 {
        put("cut", index);
        let name = format!("{index}.wav");
        let mut watch = Watch::start(&bench, "cut", &["--log", "cut.jsonl"]);
        watch.until(|line| {
            line["source"].as_str().is_some_and(|source| source.ends_with(&name))
                && line["window"]["start_s"] == 2.0
        });
        watch.kill();
    }
    put("cut", 3);
    bench.watch_once("cut", &["--log", "cut.jsonl"]);
    assert_eq!(events(&bench.log("cut.jsonl")), whole);
}

#[test]
fn a_source_that_vanishes_is_told_and_heard_again_when_it_is_back() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 2);
    bench.write("line.wav", &wav(&sound));
    let mut watch = Watch::start(&bench, "line.wav", &["--log", "events.jsonl"]);
    watch.until_window(3);
    fs::remove_file(bench.path("line.wav")).expect("the file");
    watch.until_event("lost");
    bench.write("new.wav", &wav(&with_tone(&sound)));
    fs::rename(bench.path("new.wav"), bench.path("line.wav")).expect("the file returns");
    watch.until_event("back");
    watch.until_event("start");
    // Another file under the same name is another recording, longer or not.
    bench.write("new.wav", &wav(&sound));
    fs::rename(bench.path("new.wav"), bench.path("line.wav")).expect("a file is replaced");
    watch.until_window(0);
    watch.until_window(7);
    let (code, errors) = watch.stop();
    assert_eq!(code, Some(3), "{errors}");
    let kinds: Vec<Value> = bench.log("events.jsonl").iter().map(|e| e["event"].clone()).collect();
    assert_eq!(kinds[..3], ["lost", "back", "start"]);
}

#[test]
fn garbage_is_told_and_what_lies_beside_it_is_heard() {
    let bench = Bench::new();
    let strange = with_tone(&normal_sound(&bench, 2));
    let noise: Vec<u8> =
        (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bench.write("inbox/a noise.wav", &noise);
    bench.write("inbox/b cut.wav", &wav(&strange)[..20_000]);
    bench.write("inbox/c empty.wav", b"");
    bench.write("inbox/d noise.flac", &[b"fLaC".as_slice(), &noise].concat());
    bench.write("inbox/e notes.txt", b"oiled the bearing");
    bench.write("inbox/f good.wav", &wav(&strange));
    let (lines, code, errors) = bench.watch_once("inbox", &[]);
    assert_eq!(code, Some(3), "{errors}");
    assert_eq!(lines.iter().filter(|line| line["event"] == "start").count(), 1, "{lines:?}");
    for name in ["a noise.wav", "b cut.wav", "c empty.wav", "d noise.flac"] {
        assert!(errors.contains(name), "{name}: {errors}");
    }
    assert!(!errors.contains("notes.txt"), "{errors}");

    // A file that is not understood is waited for until it is replaced.
    bench.write("line.wav", b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x07\0\x01\0garbagegarbage");
    let mut watch = Watch::start(&bench, "line.wav", &[]);
    let lost = watch.until_event("lost");
    assert!(lost["reason"].to_string().contains("a rate of 1651663207 Hz"), "{lost}");
    bench.write("new.wav", &wav(&strange));
    fs::rename(bench.path("new.wav"), bench.path("line.wav")).expect("a file is replaced");
    watch.until_event("back");
    watch.until_event("start");
    watch.kill();

    // Bytes that are no sound at all are judged as sound, or cannot be; nothing breaks.
    let mut watch = Watch::start(&bench, "-", &[]);
    watch.child.stdin.take().expect("a pipe").write_all(&noise).expect("it listens");
    let code = watch.child.wait().expect("it ends").code();
    assert!(matches!(code, Some(1 | 3 | 4)), "{code:?}");
}

#[test]
fn a_dead_microphone_is_told_and_so_is_its_return() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 2);
    bench.write("sound.wav", &wav(&[sound.clone(), vec![0; 5 * 16_000], sound].concat()));
    let (lines, code, errors) = bench.watch_once("sound.wav", &[]);
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!((kinds, code), (vec!["lost", "back"], Some(4)), "{errors}");
}

/// A log that takes nothing: the watch goes on, tells what it cannot write, and does not end as if all
/// were well.
#[test]
#[cfg(target_os = "linux")]
fn a_log_that_takes_nothing_ends_no_watch() {
    let bench = Bench::new();
    bench.write("sound.wav", &wav(&fault(&bench)));
    let words = ["--log", "/dev/full", "--state", "state.json"];
    let (lines, code, errors) = bench.watch_once("sound.wav", &words);
    assert_eq!(windows(&lines).len(), 44);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("No space left"), "{errors}");
    assert!(errors.contains("could not be written"), "{errors}");
    assert_eq!(errors.matches("No space left").count(), 1, "told once, not at every window");
    // The position was not recorded past the events, so nothing is lost: they are told again.
    let words = ["--log", "events.jsonl", "--state", "state.json"];
    let (_, code, _) = bench.watch_once("sound.wav", &words);
    assert_eq!(code, Some(3));
    assert_eq!(bench.log("events.jsonl")[0]["event"], "start");
}

/// A disk that is full for a while, where one can be made: this needs the right to mount.
#[test]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn events_of_a_full_disk_are_written_when_there_is_room_again() {
    let bench = Bench::new();
    let disk = bench.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let mount = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(&disk).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no right to mount a small disk here");
        return;
    }
    let _unmount = Unmount(&disk);
    let filler = disk.join("filler");
    let mut file = File::create(&filler).expect("a file");
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);

    let sound = fault(&bench);
    bench.write("line.wav", &wav_header(u32::MAX));
    bench.append("line.wav", &bytes_of(&sound[..14 * 16_000]));
    let words = ["--log", "disk/events.jsonl", "--state", "disk/state.json", "--keep", "disk/kept"];
    let mut watch = Watch::start(&bench, "line.wav", &words);
    watch.until_event("start");
    assert_eq!(fs::read(disk.join("events.jsonl")).unwrap_or_default(), b"");
    fs::remove_file(&filler).expect("room");
    bench.append("line.wav", &bytes_of(&sound[14 * 16_000..]));
    watch.until_event("end");
    let (code, errors) = watch.stop();
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("No space left"), "{errors}");
    let kinds: Vec<Value> =
        bench.log("disk/events.jsonl").iter().map(|event| event["event"].clone()).collect();
    assert_eq!(kinds, ["start", "end"]);
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        // A lazy unmount cannot fail for a reader that is still there; nothing else could be done.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_clock_that_jumps_hides_no_recording() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 2);
    // No two recordings of a machine are equal: a copy is not another recording.
    let recording = |round: i16| {
        let louder: Vec<i16> = sound.iter().map(|&x| x.saturating_add(round * (x % 3))).collect();
        wav(&[with_tone(&louder), sound.clone()].concat())
    };
    let now = SystemTime::now();
    let century = Duration::from_hours(24 * 365 * 100);
    let words = ["--log", "events.jsonl", "--keep", "kept", "--keep-mb", "1"];
    for (round, time) in (0..).zip([now + century, SystemTime::UNIX_EPOCH, now]) {
        // The recorder writes the same name and size again and again.
        bench.write("inbox/latest.wav", &recording(round));
        set_modified(&bench.path("inbox/latest.wav"), time);
        bench.watch_once("inbox", &words);
        let (again, _, errors) = bench.watch_once("inbox", &words);
        assert_eq!(windows(&again), [], "each recording is heard once: {errors}");
        let log = bench.log("events.jsonl");
        let starts = log.iter().filter(|event| event["event"] == "start").count();
        assert_eq!(i16::try_from(starts), Ok(round + 1), "{log:?}");
    }
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    file.set_modified(time).expect("its time can be set");
}

#[test]
fn sound_is_not_kept_where_it_would_be_heard_again() {
    let bench = Bench::new();
    bench.write("inbox/a.wav", &wav(&normal_sound(&bench, 1)));
    let error = bench.fails(2, &format!("watch inbox --model {} --once --keep inbox", model()));
    assert!(error.contains("--keep"), "{error}");
}

#[test]
fn a_record_of_another_source_is_refused() {
    let bench = Bench::new();
    let sound = wav(&normal_sound(&bench, 1));
    bench.write("a.wav", &sound);
    bench.write("b.wav", &sound);
    bench.watch_once("a.wav", &["--state", "state.json"]);
    let (_, code, errors) = bench.watch_once("b.wav", &["--state", "state.json"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("a.wav"), "{errors}");
}
