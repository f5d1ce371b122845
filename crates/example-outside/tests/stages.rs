//! Every stage of a run with a loss, a backend and a branch from outside.

use std::{fs, path::Path};

use offkey::{
    Detector, Recipe, Registries, RunRequest, Silent, Stage, SynthConfig,
    backends::BackendRegistry, branches::BranchRegistry, losses::LossRegistry, redo, run,
    synthesize,
};
use offkey_example_outside::{RECIPE, registries};

const CLIP_S: f64 = 2.0;

fn request(folder: &Path, registries: Registries) -> RunRequest {
    let data = folder.join("data");
    if !data.exists() {
        let config = SynthConfig {
            machines: 2,
            clips: 24,
            clip_s: CLIP_S,
            snr_db: 20.0,
            seed: 3,
            ..SynthConfig::default()
        };
        synthesize(&config, &data, &Silent).expect("a valid configuration");
    }
    let path = folder.join("recipe.toml");
    fs::write(&path, RECIPE).expect("a folder of this test");
    let changes = [
        format!("model.network.encoder.clip_s={CLIP_S:?}"),
        "model.network.training.length.steps=60".to_owned(),
        "model.network.training.batch_clips=16".to_owned(),
    ];
    let recipe = Recipe::load(&path.to_string_lossy(), &changes).expect("a valid recipe");
    RunRequest { registries, ..RunRequest::new(vec![data], recipe, folder.join("run")) }
}

#[test]
fn a_run_trains_and_scores_with_what_another_crate_brings() {
    let folder = tempfile::tempdir().expect("a folder");
    let request = request(folder.path(), registries());
    let metrics = run(&request, &Silent).expect("a run on good recordings");
    let auc = metrics.metrics.auc.expect("the test clips have labels");
    assert!(auc > 0.6, "AUC {auc}, chance is 0.5");
    let losses = fs::read_to_string(request.out.join("losses.csv")).expect("written by training");
    let loss = |line: &str| line.split(',').nth(2).and_then(|word| word.parse::<f64>().ok());
    let losses: Vec<f64> = losses.lines().skip(1).filter_map(loss).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[50..]) < 0.8 * mean(&losses[..10]), "the loss falls: {losses:?}");
    let saved = fs::read_to_string(request.out.join("recipe.toml")).expect("written first");
    assert!(saved.contains("custom = \"distance-softmax\""), "{saved}");
    assert!(saved.contains("custom = \"third-neighbour\""), "{saved}");
    assert!(saved.contains("custom = \"level-over-time\""), "{saved}");
    let weights = fs::read(request.out.join("model/weights.safetensors")).expect("trained");
    let header = String::from_utf8_lossy(&weights[..weights.len().min(20_000)]);
    assert!(header.contains("branches.1.matrices.0"), "the branch's matrix is trained and kept");

    // A stage alone, from the files of the one before, gives the same scores.
    let scores = || {
        let folder = fs::read_dir(request.out.join("scores")).expect("written by scoring");
        let files = folder.map(|entry| entry.expect("readable").path()).filter(|p| p.is_file());
        let mut texts: Vec<String> =
            files.map(|path| fs::read_to_string(path).expect("text")).collect();
        texts.sort();
        texts
    };
    let before = scores();
    redo(&request.out, Stage::Score, &registries(), &Silent).expect("embeddings are there");
    assert_eq!(scores(), before);
    let error = redo(&request.out, Stage::Score, &Registries::default(), &Silent);
    assert!(error.is_err(), "without the registry the name means nothing");
    Detector::load_with(&request.out, &registries()).expect("its backend is registered");
    assert!(Detector::load(&request.out).is_err(), "without the registry there is no detector");
}

#[test]
fn a_name_that_nobody_registered_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = registries;
    let without = [
        Registries { losses: LossRegistry::default(), ..all() },
        Registries { backends: BackendRegistry::default(), ..all() },
        Registries { branches: BranchRegistry::default(), ..all() },
    ];
    let names = ["distance-softmax", "third-neighbour", "level-over-time"];
    for (registries, name) in without.into_iter().zip(names) {
        let request = request(folder.path(), registries);
        let error = run(&request, &Silent).expect_err("a name is unknown");
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        assert!(text.contains(name), "{text}");
        assert!(!request.out.join("manifest.json").exists(), "{text}");
    }
}
