//! From a folder of normal recordings to an alarm, through the real binary.

use std::fs;

use serde_json::Value;

use super::sound::wav;
use crate::common::{Bench, QUICK, files, stderr};

/// Normal recordings of one synthetic machine as a plain folder, and its anomalies and further normal
/// recordings elsewhere.
pub(super) fn plain_folders(bench: &Bench) {
    bench.ok("data synth --quiet --out data --machines 1 --clips 40 --clip-s 4 --snr 20 --seed 9");
    for (folder, words) in [
        ("normal", ["train", "normal"]),
        ("faulty", ["test", "anomaly"]),
        ("later", ["test", "normal"]),
    ] {
        fs::create_dir(bench.path(folder)).expect("a folder");
        for path in files(&bench.path("data"), "wav") {
            let name = path.file_name().expect("a name").to_str().expect("text");
            if words.iter().all(|word| name.contains(word)) {
                let number = name.split('_').nth(5).expect("a number");
                let target = format!("{folder}/recording {number} {}.wav", &name[11..17]);
                fs::copy(&path, bench.path(&target)).expect("a copy");
            }
        }
    }
}

/// What `info --json` says of the promise: bound, recordings, windows.
fn promise(bench: &Bench, model: &str) -> (f64, u64, u64) {
    let info = bench.json(&format!("info {model} --json"));
    let promise = &info["promise"];
    (
        promise["at_most"].as_f64().expect("a bound"),
        promise["recordings"].as_u64().expect("a number"),
        promise["windows"].as_u64().expect("a number"),
    )
}

fn clips(checked: &Value) -> &Vec<Value> {
    checked["clips"].as_array().expect("clips")
}

#[test]
fn a_monitor_learns_in_a_moment_judges_and_is_corrected() {
    let bench = Bench::new();
    plain_folders(&bench);
    bench.write("normal/unplugged.wav", &wav(&vec![0; 4 * 16_000]));
    let learned = bench.ok("learn normal -o pump.offkey --quiet");
    assert!(learned.contains("unplugged.wav: silent"), "{learned}");
    assert!(learned.contains("promise: usable: at most"), "{learned}");
    let (at_most, recordings, windows) = promise(&bench, "pump.offkey");
    assert!((at_most - 1.0 / (recordings as f64 + 1.0)).abs() < 1e-9 && windows == recordings);

    let normal = bench.json("check later --model pump.offkey --json --quiet");
    let faulty = bench.json("check faulty --model pump.offkey --json --quiet");
    let scores = |checked: &Value| -> Vec<f64> {
        clips(checked).iter().filter_map(|clip| clip["score"].as_f64()).collect()
    };
    for clip in clips(&normal).iter().chain(clips(&faulty)) {
        let alarm = clip["verdict"] == "alarm";
        let above = clip["score"].as_f64().is_some_and(|score| score > 0.0);
        assert!(alarm == above || clip["verdict"] == "cannot_tell", "{clip}");
    }
    let (normal, faulty) = (scores(&normal), scores(&faulty));
    let pairs = normal.len() * faulty.len();
    let won = faulty.iter().map(|f| normal.iter().filter(|n| f > n).count()).sum::<usize>();
    assert!(won as f64 > 0.8 * pairs as f64, "AUC {}", won as f64 / pairs as f64);

    let before = bench.ok("info pump.offkey");
    let taken = bench.ok("update --model pump.offkey --normal faulty --force --quiet");
    assert!(taken.contains("took in"), "{taken}");
    assert_eq!(promise(&bench, "pump.offkey"), (at_most, recordings, windows));
    assert_ne!(bench.ok("info pump.offkey"), before);
    bench.ok("update --model pump.offkey --undo");
    assert_eq!(bench.ok("info pump.offkey"), before, "an update can be undone");
    assert!(bench.fails(2, "update --model pump.offkey --undo").contains("nothing to undo"));

    let mut bytes = bench.read("pump.offkey");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bench.write("damaged.offkey", &bytes);
    assert!(bench.fails(1, "info damaged.offkey").contains("checksum"));
    bench.write("short.offkey", &bytes[..100]);
    assert!(bench.fails(1, "info short.offkey").contains("damaged"));
}

#[test]
fn what_is_not_called_normal_is_refused_and_what_is_known_changes_nothing() {
    let bench = Bench::new();
    plain_folders(&bench);
    bench.ok("learn normal -o pump.offkey --quiet");
    let learned = promise(&bench, "pump.offkey");
    let faults: Vec<String> = clips(&bench.json("check faulty --model pump.offkey --json"))
        .iter()
        .filter(|clip| clip["verdict"] != "normal")
        .map(|clip| clip["path"].as_str().expect("text").to_owned())
        .collect();
    assert!(!faults.is_empty());
    for fault in &faults {
        let output = bench.run_words(&["update", "--model", "pump.offkey", "--normal", fault]);
        assert_eq!(output.status.code(), Some(1), "{fault}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("not taken in"), "{fault}");
    }
    // The folder it was learned from, and a copy under another name.
    let text = bench.ok("update --model pump.offkey --normal normal");
    assert!(text.contains("took in 0 windows") && text.contains("known already"), "{text}");
    fs::copy(&files(&bench.path("normal"), "wav")[0], bench.path("copy.wav")).expect("a copy");
    assert!(bench.ok("update --model pump.offkey --all-of copy.wav").contains("known already"));
    assert_eq!(promise(&bench, "pump.offkey"), learned);
    // What the verdict chose is a reference alone; a whole period calibrates.
    let normal: Vec<String> = clips(&bench.json("check later --model pump.offkey --json"))
        .iter()
        .filter(|clip| clip["verdict"] == "normal")
        .map(|clip| clip["path"].as_str().expect("text").to_owned())
        .collect();
    let words = ["update", "--model", "pump.offkey", "--normal", &normal[0], &normal[1]];
    assert!(bench.run_words(&words).status.success());
    assert_eq!(promise(&bench, "pump.offkey"), learned);
    bench.ok("update --model pump.offkey --all-of later");
    let (at_most, recordings, _) = promise(&bench, "pump.offkey");
    assert!(at_most < learned.0 && recordings > learned.1);
}

#[test]
fn test_clips_and_copies_are_not_learned_from() {
    let bench = Bench::new();
    bench.ok("data synth --quiet --out data --machines 1 --clips 24 --clip-s 2 --snr 20 --seed 9");
    for (index, path) in files(&bench.path("data"), "wav").into_iter().enumerate() {
        let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
        let target = match (name.contains("_train_"), name.contains("_test_")) {
            (true, _) => format!("eval/pump/train/section_00_source_train_normal_{index:04}.wav"),
            (_, true) => format!("eval/pump/test/section_00_{index:04}.wav"),
            _ => continue,
        };
        let target = bench.path(&target);
        fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        fs::copy(&path, target).expect("a copy");
    }
    let train = files(&bench.path("eval/pump/train"), "wav");
    let copy = bench.path("eval/pump/train/section_00_source_train_normal_9999.wav");
    fs::copy(&train[0], copy).expect("a copy");
    let learned = bench.ok("learn eval/pump -o pump.offkey --quiet");
    let expected = format!("learned from {} recordings", train.len());
    assert!(learned.contains(&expected), "{expected}: {learned}");
    assert!(learned.contains("a test clip") && learned.contains("a copy of"), "{learned}");
}

#[test]
fn few_recordings_work_without_a_promise_and_say_how_many_are_missing() {
    let bench = Bench::new();
    plain_folders(&bench);
    for path in files(&bench.path("normal"), "wav").iter().skip(3) {
        fs::remove_file(path).expect("a recording");
    }
    let learned = bench.ok("learn normal -o pump.offkey --window 1s --quiet");
    assert!(learned.contains("not yet usable") && learned.contains("record 2 more"), "{learned}");
    let info = bench.json("info pump.offkey --json");
    assert!(info["promise"]["at_most"].is_null() && info["usable"] == false, "{info}");
}

#[test]
fn a_line_break_in_a_models_name_stays_on_its_line() {
    let bench = Bench::new();
    plain_folders(&bench);
    let words = ["learn", "normal", "-o", "pump\nusable.offkey", "--quiet"];
    assert!(bench.run_words(&words).status.success());
    let info = bench.run_words(&["info", "pump\nusable.offkey"]);
    let text = String::from_utf8(info.stdout).expect("text");
    assert!(text.starts_with("pump\\nusable, learned by offkey"), "{text}");
}

#[test]
fn a_network_without_classes_to_tell_apart_is_left_out_and_the_output_says_why() {
    let bench = Bench::new();
    plain_folders(&bench);
    let learned = bench.ok(&format!("learn normal -o pump.offkey {QUICK}"));
    assert!(learned.contains("the network of the recipe is left out"), "{learned}");
    assert!(learned.contains("usable: at most"), "{learned}");
    let learned =
        bench.ok("learn normal -o plain.offkey --recipe log-mel-statistics --window 4s --quiet");
    assert!(learned.contains("log-mel-statistics"), "{learned}");
}

#[test]
fn an_autoencoder_is_trained_on_some_recordings_and_calibrated_on_the_others() {
    let bench = Bench::new();
    plain_folders(&bench);
    let learn = "learn normal -o pump.offkey --recipe autoencoder --window 4s --quiet --set model.autoencoder.network.epochs=20";
    let learned = bench.ok(learn);
    assert!(learned.contains("detector: an autoencoder learned to reconstruct"), "{learned}");
    let (bound, calibrating, _) = promise(&bench, "pump.offkey");
    assert_eq!(calibrating, 16, "24 of 40 recordings are trained on");
    assert!((bound - 1.0 / 17.0).abs() < 1e-9, "{bound}");
    let first = fs::read(bench.path("pump.offkey")).expect("a model");
    bench.ok(&format!("{learn} --force"));
    assert!(first == fs::read(bench.path("pump.offkey")).expect("a model"), "the same bytes");
    // Twenty epochs on 24 recordings: faults score higher more often than not, on any processor.
    let [faulty, later] = ["faulty", "later"].map(|folder| {
        let checked = bench.run_words(&["check", folder, "--model", "pump.offkey", "--json"]);
        let checked: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
        clips(&checked)
            .iter()
            .map(|clip| clip["score"].as_f64().expect("a score"))
            .collect::<Vec<_>>()
    });
    let higher = faulty.iter().flat_map(|fault| later.iter().filter(move |normal| fault > normal));
    let share = higher.count() as f64 / (faulty.len() * later.len()) as f64;
    assert!(share > 0.5, "{share}: {faulty:?} {later:?}");
    for path in files(&bench.path("normal"), "wav").iter().skip(10) {
        fs::remove_file(path).expect("a recording");
    }
    let few = bench.fails(1, &format!("{learn} --force"));
    assert!(few.contains("10 recordings are too few to train an autoencoder"), "{few}");
}

#[test]
fn watching_a_file_judges_the_windows_that_checking_does() {
    let bench = Bench::new();
    plain_folders(&bench);
    let refused = bench.fails(2, "learn normal -o pump.offkey --window 2s --every 0.001s --quiet");
    assert!(refused.contains("windows of 2 s, one every 0.001 s"), "{refused}");
    bench.ok("learn normal -o pump.offkey --window 2s --every 1s --quiet");
    let faulty = files(&bench.path("faulty"), "wav")[0].clone();
    let checked = bench.run_words(&[
        "check",
        faulty.to_str().expect("text"),
        "--model",
        "pump.offkey",
        "--json",
    ]);
    let checked: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    let watch = |log: &str| {
        let output = bench.run_words(&[
            "watch",
            faulty.to_str().expect("text"),
            "--model",
            "pump.offkey",
            "--once",
            "--alarms",
            "1/1",
            "--log",
            log,
            "--keep",
            "kept",
        ]);
        assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let events = watch("events.jsonl");
    if checked["clips"][0]["verdict"] == "alarm" {
        assert!(events.contains("\"event\":\"start\""), "{events}");
        assert!(!files(&bench.path("kept"), "wav").is_empty(), "the event's sound is kept");
        assert_eq!(watch("events.jsonl"), "", "told once, over a restart");
    } else {
        assert!(!events.contains("\"event\":\"start\""), "{events}");
    }
}
