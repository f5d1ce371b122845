//! An explanation points at the truth: faults planted at a known place into synthetic clips.

#[path = "../examples/planted_faults/planted.rs"]
mod planted;

use std::{fs, path::Path};

use offkey::{
    Clip, Condition, Detector, ExplainRequest, OffkeyError, Progress, Recipe, RiseConfig,
    RunRequest, Seed, Seeds, Silent, Split, Stage, SynthConfig, explain_clip, run, synthesize,
};
use offkey_core::table;
use offkey_synth::PlantedFault;
use planted::{Trial, mean};

const CLIP_S: f64 = 4.0;

/// A tiny model of two synthetic machines, and its normal test clips.
fn model(folder: &Path) -> (Detector, Vec<Clip>) {
    let data = folder.join("data");
    let config = SynthConfig {
        machines: 2,
        clips: 40,
        clip_s: CLIP_S,
        snr_db: 20.0,
        seed: 3,
        ..SynthConfig::default()
    };
    synthesize(&config, &data, &Silent).expect("a valid configuration");
    let changes = [
        format!("model.network.encoder.clip_s={CLIP_S:?}"),
        "model.network.training.length={steps=60}".to_owned(),
        "model.network.training.batch_clips=16".to_owned(),
    ];
    let recipe = Recipe::load("tiny", &changes).expect("a valid recipe");
    let request = RunRequest {
        seeds: Seeds::One(3),
        ..RunRequest::new(vec![data], recipe, folder.join("run"))
    };
    run(&request, &Silent).expect("a run on good recordings");
    let clips: Vec<Clip> =
        table::read_csv(&request.out.join("clips.csv")).expect("a table of the run");
    let is_normal =
        |clip: &Clip| clip.split == Split::Test && clip.condition == Some(Condition::Normal);
    let normal = clips.into_iter().filter(is_normal).collect();
    (Detector::load(&request.out).expect("a finished run"), normal)
}

/// Asks to stop once the explanation has begun.
struct Impatient;

impl Progress for Impatient {
    fn begin(&self, _stage: Stage, _total: u64, _unit: &str) {}
    fn advance(&self, _done: u64, _note: &str) {}
    fn end(&self) {}
    fn note(&self, _message: &str) {}
    fn warn(&self, _message: &str) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn importance_gathers_where_the_fault_was_planted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (detector, normal) = model(folder.path());
    let trial = Trial {
        faults: vec![PlantedFault::Hiss, PlantedFault::Whine, PlantedFault::Bearing],
        snr_db: 10.0,
        masks: 1024,
        seed: Seed::new(1),
    };
    let chosen: Vec<Clip> = normal.iter().step_by(normal.len() / 4).take(4).cloned().collect();
    let pointed = trial.run(&detector, &chosen, folder.path()).expect("good recordings");
    assert!(mean(pointed.iter(), |p| p.rise) > 0.0, "faults are heard: {pointed:#?}");
    let share = mean(pointed.iter(), |p| p.share);
    let chance = mean(pointed.iter(), |p| p.chance);
    assert!(share > 2.0 * chance, "{share:.3} of {chance:.3} by chance: {pointed:#?}");
    let missed: Vec<&str> = pointed.iter().filter(|p| !p.hit).map(|p| p.fault.name()).collect();
    assert!(3 * missed.len() < 2 * pointed.len(), "maxima beside the fault: {missed:?}");
    assert!(mean(pointed.iter(), |p| p.deletion_gain) > 0.0, "{pointed:#?}");

    everything_is_written_and_names_are_kept_apart(&detector, &normal[0], folder.path());
    stopping_leaves_nothing_behind(&detector, &normal[0], folder.path());
}

fn everything_is_written_and_names_are_kept_apart(detector: &Detector, clip: &Clip, folder: &Path) {
    let request = ExplainRequest {
        machine: Some(clip.machine.clone()),
        section: Some(clip.section.clone()),
        rise: RiseConfig { masks: 64, ..RiseConfig::default() },
        seed: Seed::new(0),
        folder: folder.join("named"),
    };
    let explain = |path: &Path| explain_clip(detector, path, &request, &Silent);
    let first = explain(&clip.path).expect("a good recording");
    for name in [
        "explanation.json",
        "explanation.svg",
        "spectrogram.png",
        "importance.png",
        "nearest.png",
        "importance.csv",
        "spectrum_importance.csv",
        "spectrum_importance.svg",
    ] {
        assert!(first.folder.join(name).is_file(), "{name}");
    }
    assert!(first.words.iter().any(|words| words.contains("nearest normal clip")));
    let twin = folder.join("twin").join(clip.path.file_name().expect("a file"));
    fs::create_dir_all(twin.parent().expect("a folder")).expect("a folder can be made");
    fs::copy(&clip.path, &twin).expect("a file can be copied");
    let second = explain(&twin).expect("a good recording");
    assert_ne!(first.folder, second.folder, "a clip of the same name elsewhere");
    let again = explain(&clip.path).expect("a good recording");
    assert_eq!((&again.folder, &again.words), (&first.folder, &first.words), "the same clip again");
}

fn stopping_leaves_nothing_behind(detector: &Detector, clip: &Clip, folder: &Path) {
    let request = ExplainRequest {
        machine: Some(clip.machine.clone()),
        section: Some(clip.section.clone()),
        rise: RiseConfig { masks: 64, ..RiseConfig::default() },
        seed: Seed::new(0),
        folder: folder.join("stopped"),
    };
    let stopped = explain_clip(detector, &clip.path, &request, &Impatient);
    assert!(matches!(stopped, Err(OffkeyError::Cancelled { .. })));
    assert!(!request.folder.exists());
}
