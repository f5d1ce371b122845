//! Studies and the autoencoder baseline, through the real binary, on synthetic machines.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStderr, Command, Stdio},
};

use crate::common::{Bench, files, stderr};

const SYNTH: &str =
    "data synth --quiet --out data --machines 2 --clips 16 --clip-s 2 --snr 10 --seed 3";

/// Two losses, two trials, seconds.
const STUDY: &str = r#"
name = "two-losses"
question = "Does the study run?"
recipe = "tiny"
set = [
  "model.network.encoder.clip_s=2.0",
  "model.network.training.length={steps=6}",
  "model.network.training.batch_clips=8",
  "model.network.training.measure_compactness=true",
]
trials = 2

[[factors]]
name = "loss"
reference = "AdaCos"

[[factors.levels]]
name = "AdaCos"
set = ["model.network.loss.adacos={}"]
[[factors.levels]]
name = "compactness"
set = ["model.network.loss.compactness={}"]

[[factors]]
name = "backend"

[[factors.levels]]
name = "k-NN"
[[factors.levels]]
name = "centre"
set = ["backend.centre={}"]
"#;

/// One more cell with the levels of the reference.
const CONFIRM: &str = r#"
[[confirm]]
name = "AdaCos, smaller batches"
levels = { loss = "AdaCos", backend = "k-NN" }
set = ["model.network.training.batch_clips=4"]
"#;

/// A small autoencoder: two machines, two epochs.
const AUTOENCODER: &str = "--data data --recipe autoencoder --set model.autoencoder.clip_s=2.0 \
    --set model.autoencoder.network.epochs=2 --set model.autoencoder.network.hidden=16";

fn text(bench: &Bench, name: &str) -> String {
    String::from_utf8(bench.read(name)).expect("text")
}

/// The rows that do not say how long something took.
fn findings(bench: &Bench, name: &str) -> Vec<String> {
    let costs = ["seconds", "clips_per_second", "bytes"];
    let rows = text(bench, name);
    rows.lines().filter(|row| !costs.iter().any(|c| row.contains(c))).map(str::to_owned).collect()
}

/// Starts the study into a folder; with it, what it says line by line.
fn start(bench: &Bench, out: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_offkey"))
        .args(["study", "study.toml", "--data", "set=data", "--out", out])
        .current_dir(bench.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    (child, lines)
}

#[test]
fn a_killed_study_goes_on_where_it_stopped() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.write("study.toml", STUDY.as_bytes());
    bench.ok("study study.toml --quiet --data set=data --out whole");

    let (mut child, mut lines) = start(&bench, "killed");
    let fourth = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("job 4 of 8")));
    child.kill().expect("it was running");
    child.wait().expect("it was killed");
    assert!(fourth.is_some(), "there are eight jobs");
    assert!(!bench.path("killed/results.csv").exists());
    let results = files(&bench.path("killed/results"), "json");
    let earlier: Vec<Vec<u8>> = results.iter().map(|p| std::fs::read(p).expect("whole")).collect();
    assert!((3..8).contains(&results.len()), "{results:?}");

    let again = bench.run("study study.toml --data set=data --out killed");
    assert!(again.status.success(), "{}", stderr(&again));
    let redone = stderr(&again).matches("of 8").count();
    assert_eq!(redone, 8 - results.len(), "what was done is done: {}", stderr(&again));
    for (path, before) in results.iter().zip(earlier) {
        assert_eq!(std::fs::read(path).expect("still there"), before);
    }
    assert_eq!(findings(&bench, "killed/results.csv"), findings(&bench, "whole/results.csv"));
    assert_eq!(text(&bench, "killed/compactness.csv"), text(&bench, "whole/compactness.csv"));
    let models = std::fs::read_dir(bench.path("killed/models")).expect("a folder").count();
    assert_eq!(models, 4, "cells that differ in the backend alone share a model");
}

/// Every file below a folder but what names times, memory and this machine, by its relative name.
fn timeless(bench: &Bench, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let root = bench.path(folder);
    let kept = ["npy", "csv", "svg", "safetensors", "toml", "wav"];
    let found = kept.iter().flat_map(|kind| files(&root, kind));
    let named = found.map(|path| {
        let name = path.strip_prefix(&root).expect("below it").display().to_string();
        let bytes = match name.as_str() {
            "results.csv" => findings(bench, &format!("{folder}/{name}")).join("\n").into_bytes(),
            _ => std::fs::read(&path).expect("a file"),
        };
        (name, bytes)
    });
    named.collect()
}

#[test]
fn a_study_in_shares_is_the_study_of_one_machine() {
    let bench = Bench::new();
    bench.write("study.toml", STUDY.replace("trials = 2", "trials = 1").as_bytes());
    let study = "study study.toml --quiet";
    // In the same folder, since tables of clips name it: the synthetic set is made there.
    bench.ok(&format!("{study} --out out"));
    let whole = timeless(&bench, "out");
    std::fs::remove_dir_all(bench.path("out")).expect("it is there");

    // Both at once, in one folder: they make the synthetic set together.
    let start = |shard: &str| {
        Command::new(env!("CARGO_BIN_EXE_offkey"))
            .args(["study", "study.toml", "--quiet", "--out", "out", "--shard", shard])
            .current_dir(bench.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    };
    let children = ["1/2", "2/2"].map(start);
    for (child, shard) in children.into_iter().zip(["1/2", "2/2"]) {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with(&format!("share {shard} is done: 2 jobs; ")), "{said}");
    }
    assert_eq!(files(&bench.path("out/results"), "json").len(), 4);
    assert!(!bench.path("out/tables.md").exists(), "shares write no tables");

    let joined = bench.run("study study.toml --out out");
    assert!(joined.status.success(), "{}", stderr(&joined));
    assert!(!stderr(&joined).contains("job "), "nothing is run again: {}", stderr(&joined));
    let shared = timeless(&bench, "out");
    assert!(whole.len() > 100 && whole.contains_key("results.csv"), "{:?}", whole.keys());
    assert_eq!(whole.keys().collect::<Vec<_>>(), shared.keys().collect::<Vec<_>>());
    for (name, bytes) in whole {
        assert!(shared[&name] == bytes, "{name} differs");
    }
    assert!(text(&bench, "out/tables.md").contains("compactness, centre"));

    let planned = bench.ok("study study.toml --dry-run --shard 2/3");
    assert!(planned.contains("2 jobs, 1 trainings"), "{planned}");
    let planned = bench.ok("study study.toml --dry-run --shard 3/3");
    assert!(planned.contains("0 jobs, 0 trainings"), "models stay whole: {planned}");
    for wrong in ["0/8", "9/8", "x"] {
        let error = bench.fails(2, &format!("{study} --out wrong --shard {wrong}"));
        assert!(error.contains(&format!("`{wrong}` is not a share")), "{error}");
        assert!(error.contains("as in `3/8`"), "{error}");
        assert!(!bench.path("wrong").exists());
    }
}

#[test]
fn a_stopped_study_has_tables_of_what_is_done() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.write("study.toml", STUDY.replace("steps=6", "steps=60").as_bytes());
    let (mut child, mut lines) = start(&bench, "out");
    let third = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("job 3 of 8")));
    assert!(third.is_some(), "there are eight jobs");
    Bench::interrupt(&child);
    let said: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let said = said.join("\n");
    assert!(said.contains("stopped after 2 of 8 jobs"), "{said}");
    assert!(said.contains("the same command") && !said.contains("--resume"), "{said}");
    assert!(text(&bench, "out/tables.md").contains("AdaCos, k-NN"));
}

#[test]
fn a_study_writes_tidy_rows_tables_and_pictures() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.write("study.toml", format!("{STUDY}{CONFIRM}").as_bytes());
    let set = "--set model.network.training.batch_clips=6";
    let printed = bench.ok(&format!("study study.toml --quiet --data set=data --out out {set}"));
    assert_eq!(printed, text(&bench, "out/tables.md"));
    let recipes = files(&bench.path("out/models"), "toml");
    let batches = |size: &str| {
        let holds = |path: &&std::path::PathBuf| {
            std::fs::read_to_string(path)
                .expect("text")
                .contains(&format!("batch_clips = {size}\n"))
        };
        recipes.iter().filter(holds).count()
    };
    assert_eq!((batches("6"), batches("4"), batches("8")), (4, 2, 0), "what a level sets stays");
    let rows = text(&bench, "out/results.csv");
    assert!(rows.starts_with("data,trial,cell,loss,backend,machine,section,metric,value\n"));
    assert!(rows.contains("set,1,\"compactness, centre\",compactness,centre,,,auc,"), "{rows}");
    let differences = text(&bench, "out/differences.csv");
    assert!(differences.starts_with("data,cell,reference,machine,metric,pairs,mean,lower,upper\n"));
    assert!(
        differences.contains("\"compactness, k-NN\",\"AdaCos, k-NN\",,auc,2,"),
        "{differences}"
    );
    let rows_of = |cell: &str| {
        let begin = format!("set,\"{cell}\",\"AdaCos, k-NN\",");
        differences.lines().filter(|row| row.starts_with(&begin)).count()
    };
    assert!(differences.contains("\"compactness, centre\",\"compactness, k-NN\",,auc lead,2,"));
    assert_eq!(rows_of("compactness, k-NN"), 1 + 2, "all machines, and each: {differences}");
    assert_eq!(rows_of("AdaCos, smaller batches"), 1 + 2, "{differences}");
    let of_reference =
        differences.lines().filter(|row| row.starts_with("set,\"AdaCos, k-NN\",")).count();
    assert_eq!(of_reference, 0, "the reference is compared with nothing: {differences}");
    for heading in [
        "Student's 95 % interval",
        "## set",
        "### set, machine by machine",
        "### set, how the difference changes",
        "### set, the last epoch",
    ] {
        assert!(printed.contains(heading), "{heading} is missing:\n{printed}");
    }
    for name in ["auc_set", "loss_set", "train_intra_set", "embedding_variance_set"] {
        let svg = text(&bench, &format!("out/pictures/{name}.svg"));
        assert!(svg.starts_with("<svg") && svg.contains("compactness, k-NN"), "{name}");
    }
}

#[test]
fn a_study_that_cannot_be_run_says_why_and_where() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let cases = [
        ("trials = 2", "trails = 2", 2, "line 11", "trails"),
        ("reference = \"AdaCos\"", "reference = \"ArcFace\"", 2, "no level `ArcFace`", "AdaCos"),
        ("loss.adacos={}", "los.adacos={}", 2, "cell `AdaCos, k-NN`", "los"),
        ("backend.centre={}", "backend.middle={}", 2, "cell `AdaCos, centre`", "middle"),
        ("trials = 2", "trials = 0", 2, "no trials", "two-losses"),
    ];
    for (was, becomes, code, what, also) in cases {
        assert!(STUDY.contains(was));
        bench.write("wrong.toml", STUDY.replacen(was, becomes, 1).as_bytes());
        let error = bench.fails(code, "study wrong.toml --quiet --data set=data --out wrong");
        assert!(error.contains(what) && error.contains(also), "`{becomes}`:\n{error}");
        assert!(!error.contains("panicked"), "{error}");
    }
    let confirm = "[[confirm]]\nname = \"more\"\nlevels = { optimiser = \"Adam\" }\n";
    bench.write("wrong.toml", format!("{STUDY}\n{confirm}").as_bytes());
    let error = bench.fails(2, "study wrong.toml --dry-run");
    assert!(error.contains("no factor `optimiser`") && error.contains("loss, backend"), "{error}");
    let error = bench.fails(2, "study losses --dry-run --set model.network.lost=1");
    assert!(error.contains("cell `sub-cluster AdaCos, fixed") && error.contains("lost"), "{error}");
    assert!(bench.fails(2, "study losses --dry-run --trials 0").contains("--trials"));
    let error = bench.fails(2, "study losses --dry-run --data set");
    assert!(error.contains("NAME=PATH"), "{error}");
}

#[test]
fn a_cell_that_cannot_be_trained_is_left_out_and_told_of() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let no_classes =
        "model.network.task={machine=false, section=false, attributes=false, domain=false}";
    bench.write("study.toml", STUDY.replacen("backend.centre={}", no_classes, 1).as_bytes());
    let study = bench.run("study study.toml --quiet --data set=data --out out");
    assert_eq!(study.status.code(), Some(1));
    let error = stderr(&study);
    let expected = "2 of 8 jobs could not be trained, the first: set, trial 0, AdaCos, centre";
    for part in [expected, "at least 2 classes", "adacos", "recordings of other machines"] {
        assert!(error.contains(part), "`{part}` is missing:\n{error}");
    }
    let tables = text(&bench, "out/tables.md");
    assert_eq!(String::from_utf8_lossy(&study.stdout), tables);
    assert!(
        tables.contains("compactness, centre") && !tables.contains("AdaCos, centre"),
        "{tables}"
    );
    assert!(bench.path("out/report.html").is_file());
}

#[test]
fn more_means_than_clips_is_said_once() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let run = bench.run(
        "run --data data --out run --quiet --recipe log-mel-statistics --set backend.k-means={means=99}",
    );
    assert!(run.status.success(), "{}", stderr(&run));
    let said = stderr(&run);
    assert_eq!(said.matches("instead of 99").count(), 1, "{said}");
    assert!(said.contains("k-means uses"), "{said}");
}

#[test]
fn the_official_baseline_trains_scores_and_decides() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let printed = bench.json(&format!("run --out run --json --quiet {AUTOENCODER}"));
    assert!(printed["auc"].as_f64().is_some_and(|auc| (0.0..=1.0).contains(&auc)), "{printed}");
    for name in ["machines.json", "autoencoder_00/autoencoder.safetensors"] {
        assert!(!bench.read(&format!("run/model/{name}")).is_empty(), "{name}");
    }
    assert_eq!(text(&bench, "run/model/autoencoder_01/errors.csv").lines().count(), 3);
    let thresholds: serde_json::Value =
        serde_json::from_slice(&bench.read("run/scores/thresholds.json")).expect("JSON");
    assert!(thresholds[0]["threshold"].as_f64().is_some_and(|t| t > 0.0), "{thresholds}");

    let scores = text(&bench, &relative(&bench, "run/scores"));
    bench.ok(&format!("run --out again --quiet {AUTOENCODER} --threads 1"));
    assert_eq!(scores, text(&bench, &relative(&bench, "again/scores")), "the same bytes");
    let other = bench.json(&format!(
        "run --out other --json --quiet {AUTOENCODER} --set backend.column.column=1"
    ));
    assert_ne!(scores, text(&bench, &relative(&bench, "other/scores")), "{other}");

    let clip = &files(&bench.path("data"), "wav")[0];
    let clip = clip.to_str().expect("text");
    let scored = bench.run_words(&["score", clip, "--model", "run", "--json", "--quiet"]);
    assert!(scored.status.success(), "{}", stderr(&scored));
    assert!(bench.fails(2, "tsne run --quiet").contains("nothing to map"));
    let explained = bench.run_words(&["explain", clip, "--model", "run", "--out", "e", "--quiet"]);
    assert_eq!(explained.status.code(), Some(2));
    assert!(
        stderr(&explained).contains("no network that looks at a spectrogram"),
        "{}",
        stderr(&explained)
    );
    let knn = bench.fails(2, &format!("run --out knn {AUTOENCODER} --set backend.knn={{}}"));
    assert!(knn.contains("expected `column`"), "{knn}");
}

#[test]
fn finished_autoencoders_are_not_trained_again() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let run = format!("run --out run --quiet {AUTOENCODER}");
    bench.ok(&run);
    let scores = relative(&bench, "run/scores");
    let before = text(&bench, &scores);
    // As an interruption during the second machine leaves the folder.
    let list = text(&bench, "run/model/machines.json");
    let mut machines: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&list).expect("JSON");
    let second = machines.keys().nth(1).expect("two machines").clone();
    machines.remove(&second);
    let rest = serde_json::to_string(&machines).expect("JSON");
    bench.write("run/model/machines.json", rest.as_bytes());
    bench.write("run/model/autoencoder_00/errors.csv", b"not written again");
    std::fs::remove_dir_all(bench.path("run/model/autoencoder_01")).expect("a folder");
    let manifest = text(&bench, "run/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    manifest["done"] = serde_json::json!(["prepare"]);
    bench.write("run/manifest.json", manifest.to_string().as_bytes());
    bench.ok(&format!("{run} --resume"));
    assert_eq!(text(&bench, "run/model/machines.json"), list);
    assert_eq!(text(&bench, "run/model/autoencoder_00/errors.csv"), "not written again");
    assert_eq!(text(&bench, &scores), before, "as if nothing had happened");
}

/// The first score file below a folder, as a name the bench knows.
fn relative(bench: &Bench, folder: &str) -> String {
    let path = files(&bench.path(folder), "csv").swap_remove(0);
    path.strip_prefix(bench.path("")).expect("below the bench").display().to_string()
}

#[test]
fn noise_on_test_clips_alone_needs_no_model_of_its_own() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.write(
        "noise.toml",
        br#"
name = "noise"
question = "Do cells share what they can?"
recipe = "log-mel-statistics"
trials = 1
[[factors]]
name = "noise"
[[factors.levels]]
name = "clean"
[[factors.levels]]
name = "in test clips"
set = ["audio.noise={kind='white', snr_db=0.0, clips='test'}"]
[[factors.levels]]
name = "everywhere"
set = ["audio.noise={kind='white', snr_db=0.0, clips='all'}"]
[[factors.levels]]
name = "autoencoder"
recipe = "autoencoder"
set = ["model.autoencoder.clip_s=2.0", "model.autoencoder.network.epochs=1"]
[[factors.levels]]
name = "autoencoder, Mahalanobis"
recipe = "autoencoder"
set = ["model.autoencoder.clip_s=2.0", "model.autoencoder.network.epochs=1", "backend.column.column=1"]
"#,
    );
    let planned = bench.ok("study noise.toml --dry-run");
    assert!(planned.contains("5 jobs, 3 trainings"), "{planned}");
    bench.ok("study noise.toml --quiet --data set=data --out out");
    let models = std::fs::read_dir(bench.path("out/models")).expect("a folder").count();
    assert_eq!(models, 3);
    let results = files(&bench.path("out/results"), "json");
    let aucs: std::collections::BTreeSet<String> = results
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("text"))
        .map(|text| serde_json::from_str::<serde_json::Value>(&text).expect("JSON"))
        .map(|result| result["metrics"]["auc"].to_string())
        .collect();
    assert!(aucs.len() > 1, "noise changes something: {aucs:?}");
    bench.ok("study noise.toml --quiet --data set=data --out out");
}

/// One cell beside machines recorded elsewhere.
const BESIDE: &str = r#"
name = "beside"
question = "Where does the noise come from?"
recipe = "log-mel-statistics"
trials = 1
[[factors]]
name = "noise"
[[factors.levels]]
name = "clean"
[[factors.levels]]
name = "beside others"
set = ["audio.noise={kind={recordings='{neighbours}'}, snr_db=-10.0, clips='all'}"]
"#;

#[test]
fn recordings_of_noise_are_bound_like_data_and_made_where_they_are_not() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok("data synth --quiet --out others --machines 6 --clips 2 --clip-s 2 --seed 8");
    bench.write("beside.toml", BESIDE.as_bytes());
    let study = "study beside.toml --data set=data";
    let planned = bench.ok(&format!("{study} --data neighbours=others --dry-run"));
    assert!(planned.contains("2 jobs, 2 trainings"), "the folder is not a data set: {planned}");
    let beside = |out: &str, more: &str| {
        bench.ok(&format!("{study} --quiet --out {out}{more}"));
        let rows = text(&bench, &format!("{out}/results.csv"));
        let row = |cell: &str| {
            let begin = format!("set,0,{cell},{cell},,,auc,");
            rows.lines().find(|row| row.starts_with(&begin)).expect("a row").to_owned()
        };
        assert_ne!(row("clean").replace("clean", "beside others"), row("beside others"), "{rows}");
        rows
    };
    let bound = beside("bound", " --data neighbours=others");
    assert!(!bench.path("bound/data").exists(), "all is bound");
    let made = beside("made", "");
    assert!(bench.path("made/data/noise_0/conveyor").is_dir());
    assert_ne!(bound, made);

    for missing in ["--data neighbours=nowhere", "--data more=fold_{trial}.csv"] {
        let error = bench.fails(1, &format!("{study} --quiet --out none {missing}"));
        assert!(error.contains("`nowhere`") || error.contains("`fold_0.csv`"), "{error}");
        assert!(!bench.path("none/models").exists(), "nothing was trained before");
    }
}
