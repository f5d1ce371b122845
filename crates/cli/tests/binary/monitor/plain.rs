//! What a newcomer types that is not quite right, and what a machine does that stops: both are answered plainly.

use std::fs;

use super::sound::{model, normal_sound, wav, with_tone};
use crate::common::{Bench, files, stderr};

/// Half a second of the machine, or of nothing.
const WINDOW: usize = 8_000;

#[test]
fn a_short_option_is_one_or_has_a_tip() {
    let bench = Bench::new();
    bench.write("a.wav", &wav(&normal_sound(&bench, 1)));
    bench.ok(&format!("check a.wav -m {}", model()));
    let told = bench.fails(2, "learn normal -o pump.offkey -w 2s");
    assert!(told.contains("did you mean `--window`?"), "{told}");
}

#[test]
fn a_folder_without_recordings_takes_two_plain_sentences() {
    let bench = Bench::new();
    fs::create_dir(bench.path("empty")).expect("a folder");
    bench.write("notes/readme.txt", b"nothing");
    for (verb, folder, words) in [
        ("learn empty -o new/pump.offkey", "empty", "in normal operation"),
        ("learn notes -o pump.offkey", "notes`, only 1 other file", "in normal operation"),
        ("choose empty -o chosen.toml", "empty", "in normal operation"),
        ("run --data empty --out run", "empty", "`train`"),
    ] {
        let told = bench.fails(1, verb);
        assert!(told.contains(&format!("no recordings in `{folder}")), "{told}");
        assert!(told.contains(words) && told.lines().count() == 2, "{told}");
    }
    assert!(!bench.path("new").exists(), "a folder was left for a model that is not there");
}

#[test]
fn recordings_may_be_named_one_by_one_and_a_new_folder_is_said() {
    let bench = Bench::new();
    bench.ok("data synth --quiet -o data --machines 1 --clips 12 --clip-s 2 --seed 9");
    for (number, path) in files(&bench.path("data/fan/train"), "wav").iter().enumerate() {
        bench.write(&format!("n/{number}.wav"), &fs::read(path).expect("a recording"));
    }
    let whole = bench.ok("learn n -o whole.offkey --quiet");
    assert!(whole.ends_with("wrote whole.offkey\n"), "{whole}");
    let named: Vec<String> = (0..12).map(|number| format!("n/{number}.wav")).collect();
    let said = bench.ok(&format!("learn {} -o new/folder/named.offkey --quiet", named.join(" ")));
    assert!(said.ends_with("wrote new/folder/named.offkey, in a new folder\n"), "{said}");
    let lines = |said: &str| said.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&said), lines(&whole));
}

#[test]
fn what_cannot_be_read_is_said_with_its_reason() {
    let bench = Bench::new();
    bench.write("a.wav", &wav(&normal_sound(&bench, 1)));
    fs::create_dir(bench.path("folder")).expect("a folder");
    let told = bench.fails(1, &format!("explain nope.wav a.wav -m {}", model()));
    assert!(told.contains("there is no such file or folder"), "{told}");
    let told = bench.fails(1, "check a.wav -m folder");
    assert!(told.contains("it is a folder, expected a file"), "{told}");
    let told = bench.fails(2, "report nowhere");
    assert!(told.contains("there is no such folder"), "{told}");
    let told = bench.fails(1, "learn nowhere -o pump.offkey");
    assert!(told.contains("there is no file or folder `nowhere`"), "{told}");
}

#[test]
fn a_watch_of_what_is_there_ends_as_a_check_of_it_would() {
    let bench = Bench::new();
    let sound = normal_sound(&bench, 1);
    // One alarm in four windows: no event by the rule of three in five.
    let odd = [&with_tone(&sound)[..WINDOW], &sound[WINDOW..]].concat();
    bench.write("odd/a.wav", &wav(&odd));
    bench.write("calm/a.wav", &wav(&sound));
    fs::create_dir(bench.path("empty")).expect("a folder");
    for (folder, code, words) in [
        ("odd", 3, "no event: it takes 3 alarms in 5 windows"),
        ("calm", 0, "alarms: 0"),
        ("empty", 4, "no recording in `empty`"),
    ] {
        for line in ["check", "watch --once"] {
            let output = bench.run(&format!("{line} {folder} -m {}", model()));
            assert_eq!(output.status.code(), Some(code), "{line} {folder}: {}", stderr(&output));
            assert!(line == "check" || stderr(&output).contains(words), "{}", stderr(&output));
        }
    }
    // What an earlier watch heard is nothing new, and nothing is wrong.
    let again = format!("watch --once calm -m {} --state state.json", model());
    bench.ok(&again);
    bench.ok(&again);
}

#[test]
fn a_self_test_of_few_windows_shows_no_column_of_dashes() {
    let bench = Bench::new();
    bench.write("a.wav", &wav(&normal_sound(&bench, 1)));
    let told = bench.ok(&format!("selftest -m {} --data a.wav", model()));
    assert!(!told.contains(" -\n") && !told.contains("found from"), "{told}");
    assert!(told.contains("too few windows to tell from which level on"), "{told}");
}

/// Recordings of four seconds; in each the machine is silent for some time in the middle, or not.
fn recordings(bench: &Bench, folder: &str, pauses: bool) {
    for (number, path) in files(&bench.path("data/fan/train"), "wav").iter().enumerate() {
        let mut bytes = fs::read(path).expect("a recording");
        if pauses {
            let begin = 44 + 2 * (16_000 + 400 * number);
            bytes[begin..begin + 2 * 24_000].fill(0);
        }
        bench.write(&format!("{folder}/{number:02}.wav"), &bytes);
    }
}

#[test]
fn a_machine_that_stops_is_an_alarm_and_one_that_pauses_as_ever_is_none() {
    let bench = Bench::new();
    bench.ok("data synth --quiet -o data --machines 1 --clips 24 --clip-s 4 --seed 9");
    recordings(&bench, "running", false);
    recordings(&bench, "pausing", true);
    for folder in ["running", "pausing"] {
        for number in [20, 21, 22, 23] {
            let name = format!("{number}.wav");
            let to = bench.path(&format!("later {folder}"));
            fs::create_dir_all(&to).expect("a folder");
            fs::rename(bench.path(folder).join(&name), to.join(&name)).expect("room");
        }
        bench.ok(&format!("learn {folder} -o {folder}.offkey --quiet"));
    }
    let verdicts = |recordings: &str, model: &str| -> Vec<(String, String)> {
        let words = ["check", recordings, "-m", model, "--json"];
        let checked = bench.run_words(&words);
        let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
        let clips = checked["clips"].as_array().expect("clips").clone();
        let text =
            |clip: &serde_json::Value, key: &str| clip[key].as_str().expect("text").to_owned();
        clips.iter().map(|clip| (text(clip, "verdict"), text(clip, "reason"))).collect()
    };
    for (verdict, reason) in verdicts("later pausing", "running.offkey") {
        assert_eq!(verdict, "alarm", "{reason}");
        assert!(reason.contains("the machine is not heard from 1."), "{reason}");
    }
    for (verdict, reason) in verdicts("later pausing", "pausing.offkey") {
        assert!(verdict != "cannot_tell" && !reason.contains("heard"), "{verdict}: {reason}");
    }
}
