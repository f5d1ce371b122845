//! What a person gets wrong is said, not passed over as if all were well. With the committed model.

use std::fs;

use super::{
    sound::{bytes_of, model, normal_sound, wav, with_tone},
    whole_way::plain_folders,
};
use crate::common::{Bench, files, stderr};

#[test]
fn a_clip_that_does_not_exist_is_not_a_clip_without_alarm() {
    let bench = Bench::new();
    let output = bench.run(&format!("check absent.wav --model {}", model()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("absent.wav: cannot_tell: no such file"), "{text}");
}

#[test]
fn threads_beyond_any_machine_are_refused_before_any_is_started() {
    let bench = Bench::new();
    for threads in ["0", "99999"] {
        let refused =
            bench.fails(2, &format!("check a.wav --model {} --threads {threads}", model()));
        assert!(refused.contains("expected 1 to 1024"), "{refused}");
    }
}

#[test]
fn what_cannot_be_learned_from_is_named_and_three_windows_are_too_few() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 3);
    for (number, sound) in sound.chunks(2 * 16_000).enumerate() {
        bench.write(&format!("n/{number}.wav"), &wav(sound));
    }
    bench.write("n/3.wav", &wav(&with_tone(&sound[..2 * 16_000])));
    let rows: String = (0..4).map(|number| format!("n/{number}.wav,normal\n")).collect();
    bench.write("all.csv", format!("path,label\n{rows}n/absent.wav,normal\n").as_bytes());
    let told = bench.ok("learn all.csv -o four.offkey --quiet");
    assert!(told.contains("absent.wav: the manifest names it"), "{told}");
    bench.write("three.csv", format!("path,label\n{}", &rows[..rows.len() / 4 * 3]).as_bytes());
    let refused = bench.fails(1, "learn three.csv -o three.offkey --quiet");
    assert!(refused.contains("expected at least 4 windows"), "{refused}");
}

#[test]
fn a_recording_is_no_state_file_and_a_table_has_no_windows() {
    let bench = Bench::new();
    bench.write("a.wav", &wav(&normal_sound(&bench, 1)));
    let refused = bench.fails(1, &format!("info {} --state a.wav", model()));
    assert!(refused.contains("no state file"), "{refused}");
    bench.fails(2, &format!("check a.wav --model {} --csv --windows", model()));
}

#[test]
fn one_missing_name_does_not_stop_the_others_and_an_alarm_wins() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 1);
    bench.write("strange.wav", &wav(&with_tone(&sound)));
    let output = bench.run(&format!("check absent.wav strange.wav --model {}", model()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("strange.wav: alarm"), "{text}");
}

#[test]
fn an_alarm_before_a_damaged_end_is_kept_and_the_damage_named() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 1);
    let whole = wav(&with_tone(&sound));
    bench.write("in/cut.wav", &whole[..whole.len() - 5000]);
    let model = model();
    let output = bench.run(&format!("check in/cut.wav --model {model}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("cut.wav: alarm") && text.contains("cut short"), "{text}");
    // Without an alarm, what could not be heard is told by the exit code.
    let whole = wav(&sound);
    bench.write("in/cut.wav", &whole[..whole.len() - 5000]);
    assert_eq!(bench.run(&format!("check in/cut.wav --model {model}")).status.code(), Some(4));
    let watched = bench.run(&format!("watch in --model {model} --once"));
    assert_eq!(watched.status.code(), Some(4));
    assert!(stderr(&watched).contains("heard in part"), "{}", stderr(&watched));
}

#[test]
#[cfg(target_os = "linux")]
fn an_alarm_that_cannot_be_printed_is_still_an_alarm() {
    let bench = Bench::new();
    bench.write("strange.wav", &wav(&with_tone(&normal_sound(&bench, 1))));
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_offkey"))
        .args(["check", "strange.wav", "--model", &model()])
        .current_dir(bench.path(""))
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status()
        .expect("the binary starts");
    assert_eq!(status.code(), Some(3));
}

#[test]
#[cfg(unix)]
fn a_name_that_is_no_text_loses_no_verdict() {
    use std::os::unix::ffi::OsStringExt;
    let bench = Bench::new();
    let name = std::ffi::OsString::from_vec(b"in/a\xff.wav".to_vec());
    std::fs::create_dir(bench.path("in")).expect("a folder");
    std::fs::write(bench.path("").join(name), wav(&normal_sound(&bench, 1))).expect("room");
    for form in ["--json", "--csv"] {
        let output = bench.run(&format!("check in --model {} {form}", model()));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains("normal"), "{form}");
    }
}

#[test]
fn where_no_model_can_be_written_none_is_learned_first() {
    let bench = Bench::new();
    bench.write("normal/a.wav", &wav(&vec![1000; 16_000]));
    bench.write("old.offkey", b"an older model");
    let error = bench.fails(2, "learn normal -o old.offkey");
    assert!(error.contains("old.offkey` exists") && error.contains("-o"), "{error}");
    // There is too little to learn from, which would be said if it came to that.
    let error = bench.fails(1, "learn normal -o normal --force");
    assert!(error.contains("cannot access `normal`"), "{error}");
    let error = bench.fails(1, "learn normal -o old.offkey/new.offkey");
    assert!(error.contains("old.offkey"), "{error}");
}

#[test]
fn what_cannot_be_learned_from_is_named_with_its_reason() {
    let bench = Bench::new();
    bench.write("normal/silent.wav", &wav(&vec![0; 11 * 16_000]));
    bench.write("normal/short.wav", &wav(&vec![1000; 16_000]));
    bench.write("normal/garbage.wav", b"garbage");
    let error = bench.fails(1, "learn normal -o new.offkey --window 10s");
    for words in
        ["silent.wav`: silent", "short.wav`: shorter than 10.0 s", "garbage.wav`: ", "--window 2s"]
    {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn what_is_left_of_a_cut_recording_is_learned_from_and_the_damage_named() {
    let bench = Bench::new();
    bench.ok(
        "data synth --quiet --out machine --machines 1 --clips 24 --clip-s 2 --snr 20 --seed 9",
    );
    let recordings = files(&bench.path("machine"), "wav");
    let normal = recordings.iter().filter(|path| path.to_string_lossy().contains("train_normal"));
    for (index, path) in normal.take(8).enumerate() {
        let mut bytes = std::fs::read(path).expect("a recording");
        if index == 3 {
            // The first of them again, cut short: a copy.
            bench.write("normal/copy.wav", &bytes[..bytes.len() - 9000]);
        }
        if index == 4 {
            let mut slow = bytes.clone();
            slow[24..28].copy_from_slice(&8_000_u32.to_le_bytes());
            bench.write("normal/slow.wav", &slow);
        }
        if index == 5 {
            bytes.truncate(bytes.len() - 9000);
        }
        bench.write(&format!("normal/day {index}.wav"), &bytes);
    }
    let said = bench.ok("learn normal -o new.offkey --window 0.5s --quiet");
    assert!(said.contains("learned from 8 recordings"), "{said}");
    assert!(said.contains("what comes after 3 windows") && said.contains("is cut short"), "{said}");
    // One of another rate does not take the upper half of their sound from all others.
    assert!(
        said.contains("slow.wav: recorded at 8000 Hz, it holds nothing above 4000 Hz"),
        "{said}"
    );
    assert!(said.contains("day 3.wav: begins as `normal/copy.wav` does: a copy"), "{said}");
}

#[test]
fn recordings_too_short_to_judge_are_told_by_a_watch() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 1);
    bench.write("inbox/short.wav", &wav(&sound[..4000]));
    bench.write("inbox/whole.wav", &wav(&sound));
    let output = bench.run(&format!("watch inbox --model {} --once", model()));
    let errors = stderr(&output);
    assert!(
        errors.contains("short.wav`: it lasts 0.2 s") && !errors.contains("whole.wav"),
        "{errors}"
    );
    assert!(errors.contains("windows heard: 4"), "{errors}");
}

#[test]
fn another_rate_is_neither_updated_with_nor_tested_on() {
    let bench = Bench::new();
    let mut bytes = wav(&normal_sound(&bench, 1));
    bytes[24..28].copy_from_slice(&8_000_u32.to_le_bytes());
    bench.write("other.wav", &bytes);
    let error = bench.fails(1, &format!("selftest --data other.wav --model {}", model()));
    assert!(error.contains("8000 Hz, it holds nothing above 4000 Hz"), "{error}");
    bench.write("raw.wav", &bytes_of(&[0; 100]));
    let checked = bench.json(&format!("check other.wav raw.wav --model {} --json", model()));
    for clip in checked["clips"].as_array().expect("clips") {
        assert_eq!(clip["verdict"], "cannot_tell", "{clip}");
    }
}

#[test]
fn a_higher_rate_is_converted_and_that_is_said_beside_the_rate_of_false_alarms() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 1);
    // Each sample three times: the same sound at three times the rate, near enough.
    let held: Vec<i16> = sound.iter().flat_map(|&x| [x; 3]).collect();
    let mut bytes = wav(&held);
    bytes[24..28].copy_from_slice(&48_000_u32.to_le_bytes());
    bench.write("fast.wav", &bytes);
    let checked = bench.json(&format!("check fast.wav --model {} --json", model()));
    let clip = &checked["clips"][0];
    assert!(clip["score"].as_f64().is_some(), "{clip}");
    for key in ["differs", "reason"] {
        assert!(clip[key].to_string().contains("converted from 48000 Hz"), "{key}: {clip}");
    }
    let promised = bench.json(&format!("info {} --json", model()))["promise"]["at_most"].clone();
    assert_eq!(clip["expected_false_alarms"], promised);
    let output = bench.run(&format!("check fast.wav --model {} --csv", model()));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = table.lines();
    let header = "path,score,p_value,p_kind,verdict,expected_false_alarms,reason,damage,differs";
    assert_eq!(lines.next(), Some(header));
    let row = lines.next().unwrap_or_default();
    assert!(row.contains(&promised.to_string()) && row.contains("converted from 48000"), "{row}");
}

#[test]
#[cfg(unix)]
fn nothing_is_left_beside_a_model_or_a_log() {
    let bench = Bench::new();
    bench.write("inbox/a.wav", &wav(&normal_sound(&bench, 1)));
    std::fs::copy(model(), bench.path("m.offkey")).expect("a copy");
    // What a killed writer left, and a lock whose holder was killed.
    bench.write(".offkey-abc.part", b"half a model");
    bench.write("m.offkey.lock", b"");
    bench.fails(1, "update --model m.offkey --normal inbox");
    bench.ok("watch inbox --model m.offkey --once --log events.jsonl");
    let mut left: Vec<_> = std::fs::read_dir(bench.path(""))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["events.jsonl.state", "inbox", "m.offkey", "machine"]);
}

#[test]
fn an_event_that_has_no_end_yet_is_said_and_hours_heard_are_kept() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 2);
    bench.write("inbox/a.wav", &wav(&with_tone(&sound)));
    let line = format!("watch inbox --model {} --once", model());
    let error = bench.fails(3, &line);
    assert!(error.contains("still open, and has no end in the output"), "{error}");
    let error = bench.fails(3, &format!("{line} --log events.jsonl"));
    assert!(error.contains("still open, and the next watch goes on with it"), "{error}");
    let info = format!("info {} --state events.jsonl.state", model());
    let text = bench.ok(&info);
    assert!(text.contains("watched, if all of it was normal: false events"), "{text}");
    let watched = bench.json(&format!("{info} --json"))["watched"].clone();
    // Eight windows of half a second, and one event.
    assert_eq!(
        (watched["hours"].as_f64(), watched["events"].as_u64()),
        (Some(4.0 / 3600.0), Some(1))
    );
}

#[test]
fn a_self_test_says_where_a_fault_is_too_loud_to_be_judged() {
    let bench = Bench::new();
    let test = bench.json(&format!("selftest --model {} --json", model()));
    assert_eq!(test["false_alarms"], serde_json::Value::Null, "windows learned from hardly alarm");
    for fault in test["faults"].as_array().expect("faults") {
        let share = |key: &str, level: usize| fault[key][level].as_f64().expect("a share");
        for level in 0..test["levels_db"].as_array().expect("levels").len() {
            let noticed = share("detected", level) + share("cannot_tell", level);
            assert!((0.0..=1.0 + 1e-9).contains(&noticed), "{fault}");
        }
    }
    let text = bench.ok(&format!("selftest --model {}", model()));
    assert!(text.contains("too few windows to tell") && text.contains("at most"), "{text}");
}

#[test]
fn a_model_takes_the_place_of_no_recording_and_of_no_list() {
    let bench = Bench::new();
    for (number, sound) in normal_sound(&bench, 6).chunks(2 * 16_000).enumerate() {
        bench.write(&format!("n/{number}.wav"), &wav(sound));
    }
    let rows: String = (0..6).map(|number| format!("n/{number}.wav,normal\n")).collect();
    bench.write("all.csv", format!("path,label\n{rows}").as_bytes());
    let before = (bench.read("n/0.wav"), bench.read("all.csv"));
    for output in ["n/0.wav", "n/new.FLAC", "all.csv"] {
        let refused = bench.fails(2, &format!("learn all.csv -o {output} --force --quiet"));
        assert!(refused.contains("cannot be written") && refused.contains(".offkey"), "{refused}");
    }
    assert_eq!((bench.read("n/0.wav"), bench.read("all.csv")), before);
}

#[test]
fn options_of_runs_are_refused_beside_a_monitor() {
    let bench = Bench::new();
    bench.write("a.wav", &wav(&normal_sound(&bench, 1)));
    for option in ["--out pictures", "--masks 10", "--grid 4x4", "--keep 0.4", "--seed 1"] {
        let refused = bench.fails(2, &format!("explain a.wav --model {} {option}", model()));
        assert!(refused.contains("is for runs") && refused.contains("is a monitor"), "{refused}");
    }
}

#[test]
fn an_update_that_is_asked_to_stop_leaves_the_model_as_it_is() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 12);
    for (number, sound) in sound.chunks(2 * 16_000).enumerate() {
        bench.write(&format!("n/{number}.wav"), &wav(sound));
    }
    bench.ok("learn n -o pump.offkey --window 0.5s --quiet");
    bench.write("long.wav", &wav(&sound.repeat(20)));
    let before = bench.read("pump.offkey");
    let mut update = bench.start("update --model pump.offkey --normal long.wav --force");
    bench.wait_for("pump.offkey.lock");
    Bench::interrupt(&update);
    assert_eq!(update.wait().expect("it ends").code(), Some(130));
    assert!(bench.read("pump.offkey") == before, "the model was changed");
}

#[cfg(target_os = "linux")]
#[test]
fn an_alarm_that_was_found_before_a_stop_is_the_exit_code() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 12);
    for (number, sound) in sound.chunks(2 * 16_000).enumerate() {
        bench.write(&format!("n/{number}.wav"), &wav(sound));
    }
    bench.ok("learn n -o pump.offkey --window 0.5s --quiet");
    // Twenty minutes of normal sound, and the same with a fault in the first two seconds.
    let mut long = sound.repeat(100);
    bench.write("normal.wav", &wav(&long));
    for (n, sample) in long.iter_mut().take(2 * 16_000).enumerate() {
        *sample = sample.saturating_add(if n % 16 < 8 { 3_000 } else { -3_000 });
    }
    bench.write("faulty.wav", &wav(&long));
    for (name, code) in [("normal.wav", 130), ("faulty.wav", 3)] {
        let mut check = bench.start(&format!("check {name} --model pump.offkey"));
        let read = format!("/proc/{}/io", check.id());
        let bytes = || -> Option<u64> {
            let io = fs::read_to_string(&read).ok()?;
            io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
        };
        while bytes().is_some_and(|bytes| bytes < 4_000_000) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Bench::interrupt(&check);
        assert_eq!(check.wait().expect("it ends").code(), Some(code), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn what_a_folder_holds_and_cannot_be_read_is_never_passed_over() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let bench = Bench::new();
    plain_folders(&bench);
    for path in files(&bench.path("normal"), "wav").iter().skip(6) {
        fs::remove_file(path).expect("a recording");
    }
    let whole = fs::read(&files(&bench.path("normal"), "wav")[0]).expect("a recording");
    // A link to a disk that is gone; a broken file that must not choose the window; a name that is no text.
    symlink("gone/x.wav", bench.path("normal/lost.wav")).expect("a link");
    bench.write("normal/cut.wav", &whole[..900]);
    let odd = std::ffi::OsStr::from_bytes(b"k\xfchl.wav");
    let is_kept = fs::write(bench.path("normal").join(odd), &whole).is_ok();
    let learned = bench.ok("learn normal -o pump.offkey --quiet");
    assert!(learned.contains("learned from 6 recordings, 6 windows of 4.0 s"), "{learned}");
    assert!(learned.contains("lost.wav") && learned.contains("there is no such file"), "{learned}");
    assert!(learned.contains("cut.wav"), "{learned}");
    assert!(!is_kept || learned.contains("hl.wav"), "{learned}");
    let checked = bench.run("check normal --model pump.offkey");
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(4), "{text}");
    assert!(text.contains("lost.wav: cannot_tell: there is no such file"), "{text}");
    let updated = bench.run("update --model pump.offkey --all-of normal");
    let text = String::from_utf8_lossy(&updated.stdout).into_owned();
    assert_eq!(updated.status.code(), Some(1), "{text}");
    assert!(text.contains("not taken in: normal/lost.wav: there is no such file"), "{text}");
    let watched = bench.run("watch normal --model pump.offkey --once --state state.json");
    assert_eq!(watched.status.code(), Some(4), "{}", stderr(&watched));
    assert!(stderr(&watched).contains("lost.wav"), "{}", stderr(&watched));
}

#[test]
fn what_a_command_still_needs_is_said_with_what_to_do() {
    let bench = Bench::new();
    let told = bench.fails(2, &format!("update --model {}", model()));
    for way in ["--normal CLIP", "--all-of DIR", "--undo"] {
        assert!(told.contains(way), "{told}");
    }
    let told = bench.fails(2, "learn recordings -o -");
    assert!(told.contains("name a file, as in -o pump.offkey"), "{told}");
    assert!(!bench.path("-").exists());
    let told = bench.fails(2, "learn recordings -o pump.offkey --window 0.001s");
    assert!(told.contains("0.1 s or longer") && told.contains("1s to 10s"), "{told}");
}

#[test]
fn a_recording_whose_name_does_not_fit_the_others_is_left_out_and_named() {
    let bench = Bench::new();
    bench.ok("data synth --quiet --out data --machines 1 --clips 12 --clip-s 4 --seed 9");
    let train = bench.path("data/fan/train");
    fs::copy(files(&train, "wav")[0].clone(), train.join("monday.wav")).expect("a copy");
    let output = bench.run("learn data/fan/train -o pump.offkey");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(told.contains("learned from 12 recordings"), "{told}");
    assert!(told.contains("monday.wav") && told.contains("of the DCASE challenge"), "{told}");
}
