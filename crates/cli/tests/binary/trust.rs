//! What a run says of its own limits: thresholds, baselines, channels, rates, and output that is lost.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use crate::common::{Bench, QUICK, files, stderr};

const SYNTH: &str =
    "data synth --quiet --out data --machines 2 --clips 48 --clip-s 2 --snr 10 --seed 3";

#[test]
fn every_run_shows_what_plain_statistics_reach() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let run = |recipe: &str, words: &str| {
        let out = if words.is_empty() { "run" } else { "changed" };
        bench.json(&format!(
            "run --data data --out {out} --force --recipe {recipe} --quiet --json{words}"
        ))
    };
    let baselines = |metrics: &serde_json::Value| -> Vec<(String, serde_json::Value)> {
        let list = metrics["baselines"].as_array().expect("a list").iter();
        list.map(|b| (b["name"].as_str().expect("a name").to_owned(), b["auc"].clone())).collect()
    };
    let names = |metrics: &serde_json::Value| -> Vec<String> {
        baselines(metrics).into_iter().map(|(name, _)| name).collect()
    };
    let other = run("spectrogram-statistics", "");
    let metrics = run("log-mel-statistics", "");
    assert_eq!(names(&metrics), ["fusion", "spectrogram-statistics"], "not the recipe itself");
    assert_eq!(baselines(&metrics)[1].1, other["auc"], "a baseline is what its recipe reaches");
    let changed = run("log-mel-statistics", " --set backend.knn.neighbors=3");
    let all = ["fusion", "log-mel-statistics", "spectrogram-statistics"];
    assert_eq!(names(&changed), all, "a changed recipe is compared with the one that it changes");
    let again = bench.json("evaluate run --quiet --json");
    assert_eq!(again["baselines"], metrics["baselines"], "from the files of the run");
    let printed = bench.ok("evaluate run --quiet");
    assert!(printed.contains("baseline spectrogram-statistics: AUC 0."), "{printed}");
    assert!(!printed.contains("baseline log-mel-statistics"), "{printed}");
    let page = String::from_utf8(bench.read("run/report.html")).expect("text");
    assert!(
        page.contains("Best of 2 baselines without training"),
        "the recipe is not compared with itself"
    );
}

#[test]
fn a_held_out_threshold_comes_from_recordings_the_model_does_not_contain() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok(&format!("run --data data --out run {QUICK} --set threshold.held-out={{}}"));
    let thresholds: serde_json::Value =
        serde_json::from_slice(&bench.read("run/scores/thresholds.json")).expect("JSON");
    let classes = String::from_utf8(bench.read("run/model/classes.csv")).expect("text");
    let mut trained = 0;
    for section in thresholds.as_array().expect("one per section") {
        let scores = section["held_out_scores"].as_array().expect("scores").len();
        let references = section["references"].as_u64().expect("a count") as usize;
        assert_eq!((scores, references), (9, 39), "of 48 recordings");
        assert_eq!(section["expected_false_alarms"].as_f64(), Some(0.1));
        trained += references;
    }
    assert_eq!(classes.lines().count() - 1, trained, "the network is not trained on the others");
    let clip = &files(&bench.path("data"), "wav")[0];
    let clip = clip.to_str().expect("text");
    let score = |run: &str| {
        let output = bench.run_words(&["score", clip, "--run", run, "--json", "--quiet"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let scores: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        scores[0]["expected_false_alarms"].clone()
    };
    assert_eq!(score("run").as_f64(), Some(0.1));
    bench.ok("run --data data --out official --recipe log-mel-statistics --quiet");
    assert!(score("official").is_null(), "the references themselves say nothing of new recordings");
    let error = bench.fails(
        2,
        &format!("run --data data --out run --resume {QUICK} --set threshold.percentile.q=0.9"),
    );
    assert!(error.contains("withheld"), "{error}");
}

#[test]
fn a_seed_judged_by_another_year_leaves_the_run_as_it_is() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok("run --data data --out runs --seeds 0..1 --recipe log-mel-statistics --quiet");
    let before = [bench.read("runs/seed_0/metrics.json"), bench.read("runs/seed_0/manifest.json")];
    let asked = bench.json("evaluate runs/seed_0 --year 2020 --json --quiet");
    assert_eq!(asked["year"].to_string().trim_matches('"'), "2020");
    let after = [bench.read("runs/seed_0/metrics.json"), bench.read("runs/seed_0/manifest.json")];
    assert!(before == after, "one seed differs from the others");
    bench.ok("evaluate runs --quiet");
    let whole = bench.json("evaluate runs --year 2020 --json --quiet");
    assert_eq!(whole["year"].to_string().trim_matches('"'), "2020", "all seeds alike");
}

#[test]
fn a_run_and_a_monitor_are_told_apart_by_what_is_there() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok("run --data data --out run --recipe log-mel-statistics --quiet");
    let error = bench.fails(2, "check data --model run");
    assert!(error.contains("is a run") && error.contains("offkey learn"), "{error}");
    let monitor = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/monitor/form_1.offkey");
    bench.write("pump.offkey", &std::fs::read(monitor).expect("the committed model"));
    // What scores and explains is a run or a monitor, as the content says.
    let scores = bench.json("score data --run pump.offkey --json --quiet");
    assert!(scores.as_array().is_some_and(|clips| !clips.is_empty()), "{scores}");
    bench.ok("explain data --model pump.offkey --quiet");
    let error = bench.fails(2, "evaluate pump.offkey");
    assert!(error.contains("pump.offkey"), "{error}");
    bench.ok("score data --model run --machine fan --section 00 --quiet");
}

#[test]
fn several_channels_and_low_rates_are_said() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let clip = std::fs::read(&files(&bench.path("data"), "wav")[0]).expect("a recording");
    let samples = &clip[44..];
    let wav = |rate_hz: u32, channels: u16, samples: &[u8]| {
        let bytes = u32::from(channels) * 2;
        let mut wav = b"RIFF".to_vec();
        wav.extend((36 + samples.len() as u32).to_le_bytes());
        wav.extend(b"WAVEfmt ");
        wav.extend(16_u32.to_le_bytes());
        wav.extend(1_u16.to_le_bytes());
        wav.extend(channels.to_le_bytes());
        wav.extend(rate_hz.to_le_bytes());
        wav.extend((rate_hz * bytes).to_le_bytes());
        wav.extend((bytes as u16).to_le_bytes());
        wav.extend(16_u16.to_le_bytes());
        wav.extend(b"data");
        wav.extend((samples.len() as u32).to_le_bytes());
        wav.extend(samples);
        wav
    };
    for index in 0..6 {
        // Half of the recordings have half the rate.
        let rate_hz = if index % 2 == 0 { 16_000 } else { 8_000 };
        let shifted = &samples[400 * index..];
        bench.write(&format!("set/fan/normal/{index}.wav"), &wav(rate_hz, 2, shifted));
        bench.write(&format!("set/fan/anomaly/{index}.wav"), &wav(16_000, 2, shifted));
    }
    let output = bench.run("run --data set --out run --recipe log-mel-statistics");
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("2 channels: their mean is used"), "{said}");
    assert!(said.contains("8000 Hz (3)") && said.contains("16000 Hz (9)"), "{said}");
    let recipe = String::from_utf8(bench.read("run/recipe.toml")).expect("text");
    assert!(recipe.contains("channel = \"mix\""), "{recipe}");

    let output = bench.run("run --data set --out near --recipe log-mel-statistics --year 2026");
    assert!(stderr(&output).contains("channel 0"), "{}", stderr(&output));
    let recipe = String::from_utf8(bench.read("near/recipe.toml")).expect("text");
    assert!(recipe.contains("pick = 0"), "{recipe}");

    let output = bench.run("score set/fan/normal/1.wav --run run --quiet");
    assert!(stderr(&output).contains("8000 Hz"), "{}", stderr(&output));
}

#[test]
fn results_that_are_lost_never_end_with_the_code_of_success() {
    let bench = Bench::new();
    for words in [["recipes", "default"], ["completions", "bash"], ["run", "--help"]] {
        let status = Command::new(env!("CARGO_BIN_EXE_offkey"))
            .args(words)
            .current_dir(bench.path(""))
            .stdout(File::options().write(true).open("/dev/full").expect("a full device"))
            .stderr(Stdio::null())
            .status()
            .expect("the binary starts");
        assert_eq!(status.code(), Some(1), "{words:?}");
    }
}

/// The table of kinds of trouble names the test that holds each: none of them is gone or renamed.
#[test]
fn every_test_that_the_table_of_trust_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = std::fs::read_to_string(root.join("docs/lab/trust.md")).expect("the table");
    let mut sources = String::new();
    for path in files(&root.join("crates"), "rs") {
        sources += &std::fs::read_to_string(path).expect("a source file");
    }
    let tests = table.split('`').skip(1).step_by(2).filter(|name| {
        name.contains('_')
            && name.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
    });
    let (mut named, mut absent) = (0, Vec::new());
    for name in tests {
        named += 1;
        if !sources.contains(&format!("fn {name}(")) {
            absent.push(name);
        }
    }
    assert!(named > 50 && absent.is_empty(), "{named} named, absent: {absent:?}");
}
