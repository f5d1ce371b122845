//! Choosing a detector without anomalies, known faults, and a monitor's score and explanation.

use std::fs;

use super::whole_way::plain_folders;
use crate::common::{Bench, files, stderr};

/// Scores that `score` gives for a folder, and which member raised each.
fn scored(bench: &Bench, folder: &str, model: &str) -> Vec<(f64, String)> {
    let scores = bench.json(&format!("score {folder} --model {model} --json --quiet"));
    let clips = scores.as_array().expect("clips");
    let one = |clip: &serde_json::Value| {
        let above = clip["score"].as_f64().is_some_and(|score| score > 0.0);
        assert!(above || clip["decision"] == false, "{clip}");
        (
            clip["score"].as_f64().expect("a score"),
            clip["raised_by"].as_str().expect("a member").to_owned(),
        )
    };
    clips.iter().map(one).collect()
}

#[test]
fn a_detector_is_chosen_without_anomalies_and_learned_with() {
    let bench = Bench::new();
    plain_folders(&bench);
    let told = bench.ok("choose normal -o chosen.toml --kinds --quiet");
    assert!(told.contains("taken: ") && told.contains("loudest moments alone"), "{told}");
    assert!(told.contains("knock at -20 dB") && told.contains("bands of two recordings"), "{told}");
    // Where the folder lies gives a machine its name, and changes nothing.
    fs::create_dir(bench.path("hall")).expect("room");
    fs::rename(bench.path("normal"), bench.path("hall/normal")).expect("a folder moves");
    assert_eq!(told, bench.ok("choose hall/normal -o chosen.toml --kinds --quiet --force"));
    fs::rename(bench.path("hall/normal"), bench.path("normal")).expect("a folder moves back");
    assert!(bench.fails(2, "choose normal -o chosen.toml").contains("exists already"));
    bench.ok("learn normal --recipe chosen.toml -o pump.offkey --quiet");
    // What the recipe says of the channel is heard, and kept for learning.
    bench.write(
        "left.toml",
        b"base = \"log-mel-statistics\"\nname = \"left\"\naudio.channel.pick = 0\n",
    );
    let told = bench.ok("choose normal --recipe left.toml -o heard.toml --quiet");
    let heard = fs::read_to_string(bench.path("heard.toml")).expect("a recipe");
    assert!(told.contains("left ") && heard.contains("pick = 0"), "{told}\n{heard}");
    assert!(bench.fails(2, "choose normal --recipe tiny").contains("trains a model"));
    // Four recordings are too few to tell detectors apart, and copies of one are no more.
    for path in files(&bench.path("normal"), "wav").iter().skip(4) {
        fs::copy(bench.path("normal").join(files(&bench.path("normal"), "wav")[0].clone()), path)
            .expect("a copy");
    }
    let refused = bench.fails(1, "choose normal --quiet");
    assert!(refused.contains("4 recordings") && refused.contains("a copy of"), "{refused}");
}

#[test]
fn known_faults_raise_the_score_of_their_like_and_contradictions_are_refused() {
    let bench = Bench::new();
    plain_folders(&bench);
    bench.ok("learn normal -o plain.offkey --quiet");
    // Half of the faulty recordings are known, the other half is new.
    fs::create_dir(bench.path("known")).expect("a folder");
    for path in files(&bench.path("faulty"), "wav").iter().step_by(2) {
        let name = path.file_name().expect("a name");
        fs::rename(path, bench.path("known").join(name)).expect("a move");
    }
    bench.ok("learn normal --faults known -o taught.offkey --quiet");
    let info = |model: &str| bench.json(&format!("info {model} --json"))["promise"].clone();
    assert_eq!(info("plain.offkey")["at_most"], info("taught.offkey")["at_most"]);
    let by_faults = |folder: &str| {
        let scores = scored(&bench, folder, "taught.offkey");
        scores.iter().filter(|(_, member)| member == "known faults").count()
    };
    assert!(by_faults("known") > 0, "no known fault is recognised");
    bench.write("both.wav", &fs::read(&files(&bench.path("normal"), "wav")[0]).expect("a file"));
    let refused = bench.fails(2, "learn normal --faults both.wav -o both.offkey --quiet");
    assert!(refused.contains("among the known faults"), "{refused}");
    bench.write("broken/fault.wav", b"no recording");
    let refused = bench.fails(1, "learn normal --faults broken -o broken.offkey --quiet");
    assert!(refused.contains("none of the recordings of known faults"), "{refused}");
}

#[test]
fn a_monitor_scores_and_explains_as_it_checks() {
    let bench = Bench::new();
    plain_folders(&bench);
    bench.ok("learn normal -o pump.offkey --quiet");
    let checked = bench.json("check faulty --model pump.offkey --json --quiet");
    let checked: Vec<f64> = checked["clips"]
        .as_array()
        .expect("clips")
        .iter()
        .map(|clip| clip["score"].as_f64().expect("a score"))
        .collect();
    let scores: Vec<f64> =
        scored(&bench, "faulty", "pump.offkey").into_iter().map(|(score, _)| score).collect();
    assert_eq!(checked, scores);
    let explained = bench.json("explain faulty --model pump.offkey --json --quiet");
    for clip in explained.as_array().expect("explanations") {
        let members = clip["members"].as_array().expect("members");
        assert_eq!(members.len(), 4, "{clip}");
        let loudest = members
            .iter()
            .max_by(|a, b| {
                a["deviations"].as_f64().partial_cmp(&b["deviations"].as_f64()).expect("numbers")
            })
            .expect("a member");
        assert_eq!(loudest["name"], clip["raised_by"], "{clip}");
        assert!(clip["nearest"][0].as_str().is_some_and(|path| path.contains("normal")), "{clip}");
    }
    let words = bench.ok("explain faulty --model pump.offkey --quiet");
    assert!(words.contains("deviations from the median of normal windows"), "{words}");
    bench.write("silent.wav", &super::sound::wav(&vec![0; 64_000]));
    let output = bench.run("score silent.wav --model pump.offkey --quiet");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot be scored"), "{}", stderr(&output));
}
