//! Explanations and pages through the real binary: what is written, what is said, what wrong input
//! gets for an answer.

use crate::common::{Bench, QUICK, files, stderr};
use serde_json::Value;

const SYNTH: &str =
    "data synth --quiet --out data --machines 2 --clips 24 --clip-s 2 --snr 20 --seed 3";

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn clips_are_explained_in_pictures_numbers_and_words() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok(&format!("run --data data --out run --seed 2 {QUICK}"));
    let clips = files(&bench.path("data/fan/test"), "wav");
    let clip = clips[0].to_str().expect("text");

    let printed = bench.ok(&format!("explain {clip} --model run --masks 64 --quiet"));
    assert!(printed.contains("nearest normal clip") && printed.contains(" Hz"), "{printed}");
    let json = bench.json(&format!("explain {clip} --model run --masks 64 --json --quiet"));
    let folder = json[0]["folder"].as_str().expect("a folder");
    for name in ["explanation.svg", "importance.png", "nearest.png", "importance.csv"] {
        assert!(!bench.read(&format!("{folder}/{name}")).is_empty(), "{name}");
    }
    let kept: Value =
        serde_json::from_slice(&bench.read(&format!("{folder}/explanation.json"))).expect("JSON");
    assert_eq!(kept["words"], json[0]["words"]);
    let sheet = text(bench.read(&format!("{folder}/explanation.svg")));
    assert!(!sheet.contains("href=\"http") && sheet.contains("nearest normal clip"));

    let broken = "data/fan/test/broken.wav";
    bench.write(broken, b"RIFF not really");
    let both = bench.run(&format!("explain {clip} {broken} --model run --masks 64 --quiet"));
    assert_eq!(both.status.code(), Some(1));
    assert!(text(both.stdout.clone()).contains("nearest normal clip"), "the good one is explained");
    assert!(stderr(&both).contains("broken.wav"), "the other is named: {}", stderr(&both));

    std::fs::remove_file(bench.path(broken)).expect("it was written");
    wrong_input_is_told_apart(&bench, clip);
    the_page_shows_what_the_model_heard(&bench);
}

fn wrong_input_is_told_apart(bench: &Bench, clip: &str) {
    bench.ok("run --data data --out statistics --recipe log-mel-statistics --quiet");
    std::fs::copy(clip, bench.path("lost.wav")).expect("a copy in a folder that names no machine");
    let cases = [
        (2, format!("explain {clip} --model statistics"), "stft"),
        (2, format!("explain {clip} --model data"), "no run folder"),
        (2, format!("explain {clip} --model absent"), "no run folder"),
        (1, "explain absent.wav --model run --machine fan --section 00".to_owned(), "absent.wav"),
        (2, "explain lost.wav --model run".to_owned(), "--machine"),
        (2, format!("explain {clip} --model run --masks 0"), "--masks"),
        (2, "report run --against nonsense".to_owned(), "COLUMN=CSV"),
        (1, "report run --masks 0 --against snr_db=absent.csv".to_owned(), "absent.csv"),
    ];
    for (code, line, word) in cases {
        let error = bench.fails(code, &line);
        assert!(error.contains(word), "`{line}` does not mention `{word}`:\n{error}");
        assert!(!error.contains("panicked"), "{error}");
    }
}

fn the_page_shows_what_the_model_heard(bench: &Bench) {
    let shown: Value = serde_json::from_slice(&bench.read("run/shown_clips.json")).expect("JSON");
    let shown = shown.as_array().expect("a list");
    assert!(!shown.is_empty());
    assert!(shown.iter().all(|clip| clip["masks"].as_u64().is_some_and(|masks| masks > 0)));
    let page = text(bench.read("run/report.html"));
    assert!(page.matches("class=\"importance\"").count() >= shown.len());
    assert!(page.contains("Score against rpm"), "a number among the attributes is drawn");
    assert!(!files(&bench.path("run/figures"), "csv").is_empty());

    let first = shown[0]["clip"]["name"].as_str().expect("a name");
    bench.write("levels.csv", format!("file,snr_db\n{first},-3.5\n").as_bytes());
    bench.ok("report run --masks 0 --against snr_db=levels.csv --quiet");
    let quick = text(bench.read("run/report.html"));
    assert!(!quick.contains("class=\"importance\""), "no masks, no marks");
    assert!(quick.contains("Score against snr"));
    bench.ok("report run --masks 0 --quiet");
    let again = text(bench.read("run/report.html"));
    assert!(again.contains("Score against snr"), "a column once given is kept");
}
