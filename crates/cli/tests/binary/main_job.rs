//! From recordings to a scored test set, through the real binary, on synthetic machines.

use crate::common::{Bench, QUICK, files, stderr};

const SYNTH: &str =
    "data synth --quiet --out data --machines 2 --clips 32 --clip-s 2 --snr 10 --seed 3";

#[test]
fn a_data_set_becomes_scores_metrics_and_a_page() {
    let bench = Bench::new();
    bench.ok(&SYNTH.replace("--clips 32", "--clips 48").replace("--snr 10", "--snr 20"));
    let longer = "--set model.network.training.length={steps=100}";
    let printed =
        bench.json(&format!("run --data data --out run --seed 2 --json {QUICK} {longer}"));
    let auc = printed["auc"].as_f64().expect("labels are known");
    // 0.67 and 0.70 with seeds 1 and 2: two seconds of sound and ten of training.
    assert!(auc > 0.6, "AUC {auc}: worse than a system that works has ever been here");
    for name in [
        "recipe.toml",
        "manifest.json",
        "clips.csv",
        "losses.csv",
        "metrics.json",
        "report.html",
        "tsne.svg",
        "embeddings/embeddings.npy",
        "model/weights.safetensors",
    ] {
        assert!(!bench.read(&format!("run/{name}")).is_empty(), "{name}");
    }
    assert_eq!(printed["per_section"].as_array().map(Vec::len), Some(2));
    let page = String::from_utf8(bench.read("run/report.html")).expect("text");
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "nothing from outside");

    let again = bench.json("evaluate run --json");
    assert_eq!(again["auc"], printed["auc"], "evaluation redone from the score files");
    bench.ok("embed run --quiet");
    bench.ok("score run --quiet");
    assert_eq!(
        bench.json("evaluate run --json --quiet")["auc"],
        printed["auc"],
        "and from the model"
    );
    assert_eq!(
        bench.json("evaluate --scores run/scores/challenge --json")["auc"],
        printed["auc"],
        "and from the challenge's own files"
    );

    let clip = &files(&bench.path("data"), "wav")[0];
    let clip = clip.to_str().expect("text");
    let scored = bench.run_words(&["score", clip, "--model", "run", "--json", "--quiet"]);
    assert!(scored.status.success(), "{}", stderr(&scored));
    bench.write("more/broken.wav", b"no recording");
    bench.write("more/fan/any name.wav", &std::fs::read(clip).expect("a recording"));
    let scored = bench.run("score more --model run --machine fan --json --quiet");
    assert_eq!(scored.status.code(), Some(1), "{}", stderr(&scored));
    assert!(stderr(&scored).contains("broken.wav"), "{}", stderr(&scored));
    let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).expect("JSON");
    assert_eq!(scores.as_array().map(Vec::len), Some(1), "the other one is scored");
    assert!(bench.fails(2, &format!("score {clip}")).contains("--run"));
    assert!(bench.fails(2, "run --data data --out run --quiet").contains("is not empty"));
}

#[test]
fn a_network_and_pooled_spectra_score_together_and_each_clip_says_which_raised_it() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let joined =
        bench.json(&format!("run --data data --out joined --json {QUICK} --set fusion={{}}"));
    let alone = bench.json(&format!("run --data data --out alone --json {QUICK}"));
    assert_ne!(joined["auc"], alone["auc"], "the spectra change nothing");
    let embeddings = "embeddings/embeddings.npy";
    assert_eq!(
        bench.read(&format!("joined/{embeddings}")),
        bench.read(&format!("alone/{embeddings}"))
    );
    assert!(!bench.read("joined/embeddings/pooled.npy").is_empty());
    let again = bench.json("evaluate joined --json");
    bench.ok("embed joined --quiet");
    bench.ok("score joined --quiet");
    assert_eq!(bench.json("evaluate joined --json --quiet")["auc"], again["auc"]);
    let scores = bench.json("score data --run joined --json --quiet");
    let members: std::collections::BTreeSet<&str> = scores
        .as_array()
        .expect("clips")
        .iter()
        .filter_map(|clip| clip["raised_by"].as_str())
        .collect();
    assert!(members.len() > 1, "{members:?}");
    // The fusion alone is a recipe, and a baseline beside every run.
    let fusion = bench.json("run --data data --out fusion --recipe fusion --json --quiet");
    assert!(fusion["auc"].as_f64().is_some_and(|auc| auc > 0.5), "{fusion}");
    assert!(bench.ok("evaluate joined --quiet").contains("fusion"));
}

#[test]
fn the_same_seed_gives_the_same_bytes_whatever_the_threads() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok(&format!("run --data data --out a --seed 5 --threads 2 {QUICK}"));
    bench.ok(&format!("run --data data --out b --seed 5 --threads 1 {QUICK}"));
    bench.ok(&format!("run --data data --out c --seed 6 --threads 2 {QUICK}"));
    for name in ["model/weights.safetensors", "embeddings/embeddings.npy", "losses.csv"] {
        let a = bench.read(&format!("a/{name}"));
        assert!(a == bench.read(&format!("b/{name}")), "{name} depends on the threads");
        assert!(a != bench.read(&format!("c/{name}")), "{name} does not depend on the seed");
    }
    let scores = files(&bench.path("a/scores"), "csv");
    assert!(!scores.is_empty());
    for path in scores {
        let name = path.strip_prefix(bench.path("a")).expect("below a").to_str().expect("text");
        assert!(bench.read(&format!("a/{name}")) == bench.read(&format!("b/{name}")), "{name}");
    }
}

#[test]
fn a_run_stopped_anywhere_goes_on_to_the_same_bytes() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let steps = "--set model.network.training.length={steps=60}";
    bench.ok(&format!("run --data data --out whole --seed 4 {QUICK} {steps}"));
    let results = ["model/weights.safetensors", "losses.csv", "embeddings/embeddings.npy"];

    let mut stopped = bench.start(&format!("run --data data --out parts --seed 4 {QUICK} {steps}"));
    bench.wait_for("parts/model/checkpoint.safetensors");
    Bench::interrupt(&stopped);
    let code = stopped.wait().expect("it ends").code();
    let resume = format!("run --data data --out parts --seed 4 --resume {QUICK} {steps}");
    assert!(matches!(code, Some(0 | 130)), "ended cleanly, not by {code:?}");
    assert!(code == Some(0) || !bench.path("parts/metrics.json").exists());
    bench.ok(&resume);
    for name in results {
        assert!(
            bench.read(&format!("parts/{name}")) == bench.read(&format!("whole/{name}")),
            "{name}"
        );
    }

    let weights = bench.modified("parts/model/weights.safetensors");
    let metrics = bench.read("parts/metrics.json");
    let manifest = String::from_utf8(bench.read("parts/manifest.json")).expect("text");
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    manifest["done"] = serde_json::json!(["prepare", "train"]);
    bench.write("parts/manifest.json", manifest.to_string().as_bytes());
    std::fs::remove_dir_all(bench.path("parts/embeddings")).expect("removed");
    std::fs::remove_dir_all(bench.path("parts/scores")).expect("removed");
    bench.ok(&resume);
    assert_eq!(bench.modified("parts/model/weights.safetensors"), weights, "not trained again");
    let [before, after] = [&metrics, &bench.read("parts/metrics.json")]
        .map(|text| serde_json::from_slice::<serde_json::Value>(text).expect("JSON"));
    assert_eq!(before["per_section"], after["per_section"]);

    let other = bench.fails(2, &resume.replace("--seed 4", "--seed 5"));
    assert!(other.contains("another seed"), "{other}");
    let other = bench.fails(2, &format!("{resume} --set model.network.training.mixup=0.25"));
    assert!(other.contains("another model"), "{other}");
    let scored = bench.modified("parts/scores/thresholds.json");
    bench.ok(&format!("{resume} --set threshold.percentile.q=0.5"));
    assert_ne!(
        bench.modified("parts/scores/thresholds.json"),
        scored,
        "scored by the new threshold"
    );
    assert_eq!(bench.modified("parts/model/weights.safetensors"), weights, "and not trained again");
}

#[test]
fn beginning_anew_spares_the_old_run_until_the_new_one_can_begin() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    bench.ok("run --data data --out run --recipe log-mel-statistics --quiet");
    let metrics = bench.read("run/metrics.json");
    bench.fails(1, "run --data absent --out run --recipe log-mel-statistics --quiet --force");
    std::fs::write(bench.path("data/m.wav"), b"no recording").expect("a broken file");
    bench.fails(1, "run --data data --out run --recipe log-mel-statistics --quiet --force");
    assert_eq!(bench.read("run/metrics.json"), metrics);
    std::fs::remove_file(bench.path("data/m.wav")).expect("removed");
    bench.ok("run --data data --out run --recipe spectrogram-statistics --quiet --force");
    assert_ne!(bench.read("run/metrics.json"), metrics);
}

#[test]
fn recipes_can_be_compared_by_planted_faults_without_a_look_at_test_clips() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    for clip in files(&bench.path("data"), "wav") {
        if clip.to_string_lossy().contains("_test_") {
            std::fs::write(&clip, b"nobody may read this").expect("overwritten");
        }
    }
    bench.ok("data plant data --out planted --level 10 --holdout 0.4 --seed 1 --quiet");
    let manifest = String::from_utf8(bench.read("planted/manifest.csv")).expect("text");
    assert!(!manifest.contains("_test_"));
    let run = "run --data planted/manifest.csv --recipe log-mel-statistics --quiet --json --out";
    let metrics = bench.json(&format!("{run} run"));
    assert!(metrics["auc"].as_f64().is_some_and(|auc| auc > 0.9), "{metrics}");
    bench.fails(2, "data plant data --out planted --quiet");
    bench.ok("data plant data --out quieter --level -40 --holdout 0.4 --seed 1 --quiet");
    let quieter = bench.json(&format!("{} quiet_run", run.replace("planted", "quieter")));
    assert!(quieter["auc"].as_f64() < metrics["auc"].as_f64(), "{quieter}");
}

#[test]
fn conditions_are_found_where_none_are_named() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let classes = |out: &str, settings: &str| -> Vec<String> {
        let steps = "--set model.network.training.length={steps=1}";
        let pseudo = "--set model.network.pseudo_attributes=2";
        bench.ok(&format!("run --data data --out {out} {QUICK} {steps} {pseudo} {settings}"));
        let table =
            String::from_utf8(bench.read(&format!("{out}/model/classes.csv"))).expect("text");
        let mut rows = table.lines();
        assert_eq!(rows.next(), Some("machine,section,name,class"));
        let class = |row: &str| row.rsplit(',').next().expect("four columns").to_owned();
        let found: std::collections::BTreeSet<String> = rows.map(class).collect();
        found.into_iter().collect()
    };
    let unnamed =
        "--set model.network.task={machine=true,section=true,attributes=false,domain=false}";
    let found = classes("unnamed", unnamed);
    assert_eq!(found.len(), 4, "two machines in two conditions each: {found:?}");
    assert!(found.iter().all(|class| class.contains(" condition ")), "{found:?}");
    let named = "--set model.network.task={machine=true,section=true,attributes=true,domain=false}";
    let found = classes("named", named);
    assert!(found.iter().all(|class| class.contains("rpm_")), "{found:?}");
    assert!(!found.iter().any(|class| class.contains("condition")), "{found:?}");
    let none = bench.fails(
        2,
        &format!("run --data data --out none {QUICK} --set model.network.pseudo_attributes=0"),
    );
    assert!(none.contains("a whole number, 1 or more"), "{none}");
}

#[test]
fn several_seeds_give_mean_and_deviation() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let metrics = bench
        .json("run --data data --out runs --seeds 0..1 --json --recipe log-mel-statistics --quiet");
    assert_eq!(metrics["seeds"].as_array().map(Vec::len), Some(2));
    assert!(metrics["mean"]["auc"].is_number() && metrics["std"]["auc"].is_number());
    assert!(bench.path("runs/seed_1/metrics.json").is_file());
    assert!(bench.path("runs/report.html").is_file());

    for stage in ["train", "embed", "score"] {
        bench.ok(&format!("{stage} runs --quiet"));
    }
    let again = bench.json("evaluate runs --json --quiet");
    assert_eq!(again["mean"], metrics["mean"], "every stage redone for every seed");
    assert!(again["peak_memory_bytes"].as_u64() >= metrics["peak_memory_bytes"].as_u64());
    let error = bench.fails(2, "score data --model runs");
    assert!(error.contains("runs/seed_0"), "{error}");
}

#[test]
fn a_broken_recording_is_named_and_can_be_left_out() {
    let bench = Bench::new();
    bench.ok(SYNTH);
    let first = files(&bench.path("data"), "wav")[0].clone();
    let beside = first.with_file_name("section_00_source_train_normal_9999.wav");
    std::fs::write(&beside, b"RIFF not really").expect("a broken file");
    let run = "run --data data --out run --recipe log-mel-statistics --quiet";
    let error = bench.fails(1, run);
    assert!(error.contains("section_00_source_train_normal_9999.wav"), "{error}");
    assert!(error.contains("--skip-bad"), "{error}");
    bench.ok(&format!("{run} --skip-bad"));
    let skipped = String::from_utf8(bench.read("run/skipped.csv")).expect("text");
    assert!(skipped.contains("normal_9999"), "{skipped}");
    let inspected = bench.json("data inspect data --json --quiet");
    let problems = inspected["problems"].to_string();
    assert!(problems.contains("normal_9999"), "{problems}");
}

#[test]
fn wrong_input_gets_an_answer_and_the_right_exit_code() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("empty")).expect("a folder");
    bench.write("typo.toml", b"name = \"x\"\nbackend = \"knn\"\nepocs = 3\n");
    let cases = [
        (1, "run --data absent --out run --quiet", "absent"),
        (1, "run --data empty --out run --quiet", "empty"),
        (2, "run --data empty --out run --recipe absent.toml", "built-in ones are"),
        (2, "run --data empty --out run --recipe typo.toml", "typo.toml"),
        (2, "run --data empty --out run --set nonsense", "key=value"),
        (2, "evaluate empty", "no run folder"),
        (2, "study absent", "built-in ones are"),
        (2, "run", "--data"),
        (2, "run --data empty --out empty --device gpu", "gpu"),
        (2, "score --embeddings x.npy --table y.csv --backend nonsense", "nonsense"),
        (2, "explain x.wav --model absent --grid 8", "8x16"),
        (1, "check x.wav --model absent.offkey", "absent.offkey"),
    ];
    for (code, line, word) in cases {
        let error = bench.fails(code, line);
        assert!(error.contains(word), "`{line}` does not mention `{word}`:\n{error}");
        assert!(!error.contains("panicked"), "{error}");
    }
    assert!(
        !bench.path("run").join("recipe.toml").exists(),
        "nothing is left of runs that never began"
    );
}

#[test]
fn every_built_in_recipe_and_study_is_valid() {
    let bench = Bench::new();
    for name in [
        "default",
        "medium",
        "paper",
        "small",
        "tiny",
        "log-mel-statistics",
        "spectrogram-statistics",
        "autoencoder",
    ] {
        let written = bench.ok(&format!("recipes {name}"));
        bench.write("written.toml", written.as_bytes());
        let printed = bench.ok(&format!("recipes {name} --resolved"));
        assert_eq!(bench.ok("recipes written.toml --resolved"), printed, "{name} as it is written");
        bench.write("again.toml", printed.as_bytes());
        assert_eq!(
            bench.ok("recipes again.toml --resolved"),
            printed,
            "{name}, every default told"
        );
    }
    for name in
        ["losses", "auxiliary-task", "attributes", "compactness", "noise", "ablation", "backends"]
    {
        assert!(bench.ok(&format!("study {name} --dry-run")).contains("trainings"), "{name}");
    }
}
