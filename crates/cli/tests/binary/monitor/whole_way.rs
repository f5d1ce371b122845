//! From a folder of normal recordings to an alarm, through the real binary.

use super::sound::wav;
use crate::common::{Bench, QUICK, files, stderr};

/// Normal recordings of one synthetic machine as a plain folder, and its anomalies elsewhere.
fn plain_folders(bench: &Bench) {
    bench.ok("data synth --quiet --out data --machines 1 --clips 40 --clip-s 4 --snr 20 --seed 9");
    for (folder, words) in [("normal", ["train", "normal"]), ("faulty", ["test", "anomaly"])] {
        std::fs::create_dir(bench.path(folder)).expect("a folder");
        for path in files(&bench.path("data"), "wav") {
            let name = path.file_name().expect("a name").to_str().expect("text");
            if words.iter().all(|word| name.contains(word)) {
                let number = name.split('_').nth(5).expect("a number");
                let target = format!("{folder}/recording {number} {}.wav", &name[11..17]);
                std::fs::copy(&path, bench.path(&target)).expect("a copy");
            }
        }
    }
}

#[test]
fn a_monitor_learns_judges_watches_and_is_corrected() {
    let bench = Bench::new();
    plain_folders(&bench);
    bench.write("normal/unplugged.wav", &wav(&vec![0; 4 * 16_000]));
    let learned = bench.ok(&format!("learn normal -o pump.offkey --every 2s {QUICK}"));
    assert!(learned.contains("unplugged.wav: silent"), "{learned}");
    assert!(learned.contains("promise: at most"), "{learned}");
    assert!(learned.contains("built-in background"), "{learned}");
    assert!(bench.ok("info pump.offkey").contains("calibration"));

    let normal = bench.json("check normal --model pump.offkey --json --quiet");
    let faulty = bench.json("check faulty --model pump.offkey --json --quiet");
    let mean_p = |clips: &serde_json::Value| {
        let clips = clips["clips"].as_array().expect("clips");
        let values: Vec<f64> = clips.iter().filter_map(|clip| clip["p_value"].as_f64()).collect();
        assert!(!values.is_empty());
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(mean_p(&faulty) < mean_p(&normal), "faults look rarer than normal sound");

    bench.write("silence.wav", &wav(&vec![0; 4 * 16_000]));
    let silent = bench.json("check silence.wav --model pump.offkey --json");
    assert_eq!(silent["clips"][0]["verdict"], "cannot_tell", "{silent}");

    let before = bench.ok("info pump.offkey");
    bench.ok("update --model pump.offkey --normal faulty --force --quiet");
    assert_ne!(bench.ok("info pump.offkey"), before);
    bench.ok("update --model pump.offkey --undo");
    assert_eq!(bench.ok("info pump.offkey"), before, "an update can be undone");

    let mut bytes = bench.read("pump.offkey");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bench.write("damaged.offkey", &bytes);
    assert!(bench.fails(1, "info damaged.offkey").contains("checksum"));
    bench.write("short.offkey", &bytes[..100]);
    assert!(bench.fails(1, "info short.offkey").contains("damaged"));
}

#[test]
fn watching_a_file_judges_the_windows_that_checking_does() {
    let bench = Bench::new();
    plain_folders(&bench);
    bench.ok(&format!("learn normal -o pump.offkey --every 1s {QUICK}"));
    let faulty = files(&bench.path("faulty"), "wav")[0].clone();
    let checked = bench.run_words(&[
        "check",
        faulty.to_str().expect("text"),
        "--model",
        "pump.offkey",
        "--json",
    ]);
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
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
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let events = watch("events.jsonl");
    if checked["clips"][0]["verdict"] == "alarm" {
        assert!(events.contains("\"event\":\"start\""), "{events}");
        assert!(!files(&bench.path("kept"), "wav").is_empty(), "the event's sound is kept");
        assert_eq!(watch("events.jsonl"), "", "told once, over a restart");
    } else {
        assert_eq!(events, "");
    }
}
