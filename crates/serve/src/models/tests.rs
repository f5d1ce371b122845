//! Changes of a model from two sides at once.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::testing::{RATE_HZ, monitor, noise};

const SAMPLES: usize = 4096;

/// A folder with a model in use, and a program that "learns" by copying another model when it is let.
struct Bench {
    folder: tempfile::TempDir,
    models: Models,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        monitor(SAMPLES).save(&at("pump.offkey")).expect("room");
        monitor(2 * SAMPLES).save(&at("learned.offkey")).expect("room");
        std::fs::write(
            at("normal.wav"),
            offkey_signal::encode_wav(&noise(7, 4 * SAMPLES), RATE_HZ),
        )
        .expect("room");
        let script = format!(
            "#!/bin/sh\ncd {}\ncp learned.offkey \"$4\"\ntouch begun\nuntil test -e go; do sleep 0.01; done\n",
            folder.path().display()
        );
        std::fs::write(at("learner"), script).expect("room");
        std::fs::set_permissions(at("learner"), std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        let models =
            Models { learner: at("learner"), patience: Duration::ZERO, ..Models::default() };
        models.load("pump", &at("pump.offkey")).expect("a model");
        Self { folder, models }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn learn(&self) -> Result<bool, ModelError> {
        let begun = self.models.begin("pump")?;
        // From now on a page sees it, and nobody else can begin.
        assert!(self.models.learning("pump").running);
        assert!(matches!(self.models.begin("pump"), Err(ModelError::Busy { .. })));
        self.models.learn(begun, &self.path("normals"), &[])
    }

    fn on_disk(&self) -> Monitor {
        Monitor::load(&self.path("pump.offkey"), Compute::default()).expect("a model")
    }

    fn in_use(&self) -> f64 {
        self.models.view("pump").expect("a model").window_s
    }
}

#[test]
fn what_was_called_normal_while_another_model_was_learned_is_in_that_model() {
    let bench = Bench::new();
    thread::scope(|scope| {
        let learning = scope.spawn(|| bench.learn());
        while !bench.path("begun").exists() {
            thread::yield_now();
        }
        bench.models.update("pump", &bench.path("normal.wav"), true).expect("it is taken in");
        std::fs::write(bench.path("go"), "").expect("room");
        assert!(learning.join().expect("no panic").expect("it can be learned"));
    });
    let learned = bench.on_disk();
    assert_eq!(learned.card().windows.samples, 2 * SAMPLES, "the learned model");
    let added: Vec<&String> = learned.card().journal.iter().flat_map(|e| &e.recordings).collect();
    assert_eq!(added, [&bench.path("normal.wav").display().to_string()]);
    assert!((bench.in_use() - 2.0 * SAMPLES as f64 / f64::from(RATE_HZ)).abs() < 1e-9);
    // Nothing is left beside it, and the addition can be taken back.
    assert!(!bench.path("pump.pump.new").exists());
    bench.models.undo("pump", &bench.path("other.wav")).expect("nothing to do");
    assert_eq!(bench.on_disk().card().journal.len(), 1);
    bench.models.undo("pump", &bench.path("normal.wav")).expect("the last addition");
    assert!(bench.on_disk().card().journal.is_empty());
}

#[test]
fn a_model_file_that_another_program_replaced_is_taken_into_use_when_it_is_read_again() {
    let bench = Bench::new();
    let before = bench.in_use();
    std::fs::copy(bench.path("learned.offkey"), bench.path("pump.offkey")).expect("room");
    assert!((bench.in_use() - before).abs() < 1e-9, "not yet");
    bench.models.read_again();
    assert!((bench.in_use() - 2.0 * before).abs() < 1e-9);
    std::fs::write(bench.path("pump.offkey"), b"no model").expect("room");
    bench.models.read_again();
    assert!((bench.in_use() - 2.0 * before).abs() < 1e-9, "the machine keeps its ears");
}

#[test]
fn sound_that_the_model_knows_is_told_and_changes_nothing() {
    let bench = Bench::new();
    let take = |name: &str| bench.models.update("pump", &bench.path(name), true).expect("sound");
    assert_eq!(take("normal.wav"), None);
    let before = std::fs::read(bench.path("pump.offkey")).expect("a model");
    std::fs::copy(bench.path("normal.wav"), bench.path("again.wav")).expect("room");
    assert!(take("again.wav").is_some_and(|told| told.contains("known") || told.contains("knows")));
    assert_eq!(std::fs::read(bench.path("pump.offkey")).expect("a model"), before);
}

#[test]
fn what_was_called_normal_before_is_in_the_model_that_is_learned_anew() {
    let bench = Bench::new();
    bench.models.update("pump", &bench.path("normal.wav"), true).expect("it is taken in");
    std::fs::write(bench.path("go"), "").expect("room");
    assert!(bench.learn().expect("it can be learned"));
    assert_eq!(bench.on_disk().card().journal.len(), 1);
    // Where its sound is gone, that is said, and the rest is learned.
    std::fs::remove_file(bench.path("normal.wav")).expect("it was there");
    assert!(bench.learn().expect("it can be learned"));
    assert!(bench.on_disk().card().journal.is_empty());
    let said = bench.models.learning("pump").said.join("\n");
    assert!(said.contains("normal.wav") && said.contains("call it normal again"), "{said}");
}

#[test]
fn a_model_that_another_program_changes_is_not_replaced_meanwhile() {
    let bench = Bench::new();
    std::fs::write(bench.path("go"), "").expect("room");
    let held = lock_model(&bench.path("pump.offkey")).expect("nobody else");
    let refused = bench.learn();
    assert!(
        matches!(refused, Err(ModelError::Monitor(MonitorError::Locked { .. }))),
        "{:?}",
        refused.map_err(|error| error.to_string())
    );
    assert_eq!(bench.on_disk().card().windows.samples, SAMPLES);
    drop(held);
    assert!(bench.learn().expect("nobody holds it"));
    assert_eq!(bench.on_disk().card().windows.samples, 2 * SAMPLES);
}

#[test]
fn a_model_from_elsewhere_is_taken_in_and_given_up_again_with_what_people_said() {
    let bench = Bench::new();
    let previous = bench.path("previous.offkey");
    bench.models.update("pump", &bench.path("normal.wav"), true).expect("it is taken in");
    let own = std::fs::read(bench.path("pump.offkey")).expect("a model");
    let refused = bench.models.install("pump", b"no model", &previous);
    assert!(matches!(refused, Err(ModelError::Monitor(_))));
    assert!(!previous.exists() && bench.on_disk().card().journal.len() == 1);
    let new = std::fs::read(bench.path("learned.offkey")).expect("a model");
    assert!(bench.models.install("pump", &new, &previous).expect("a model"));
    assert_eq!(bench.on_disk().card().windows.samples, 2 * SAMPLES);
    assert_eq!(bench.on_disk().card().journal.len(), 1, "what was called normal goes along");
    bench.models.swap("pump", &previous).expect("it was kept");
    assert_eq!(std::fs::read(bench.path("pump.offkey")).expect("a model"), own);
    assert!((bench.in_use() - SAMPLES as f64 / f64::from(RATE_HZ)).abs() < 1e-9);
    bench.models.swap("pump", &previous).expect("it was kept");
    assert_eq!(bench.on_disk().card().windows.samples, 2 * SAMPLES);
}

#[test]
fn machines_with_the_same_model_share_it_and_what_changes_it() {
    let bench = Bench::new();
    std::fs::copy(bench.path("pump.offkey"), bench.path("copy.offkey")).expect("room");
    let loaded = |name: &str| {
        let judge = bench.models.load(name, &bench.path(&format!("{name}.offkey")));
        let judge = judge.expect("a model");
        let judge = judge.read().expect("nobody panicked").clone();
        judge.expect("a model")
    };
    let (own, copy, other) = (loaded("pump"), loaded("copy"), loaded("learned"));
    assert!(Arc::ptr_eq(&own, &copy), "one model of one content");
    assert!(!Arc::ptr_eq(&own, &other));
    // Two machines of one file: what one of them learns the other knows.
    let twin = bench.models.load("twin", &bench.path("pump.offkey")).expect("a model");
    bench.models.update("pump", &bench.path("normal.wav"), true).expect("it is taken in");
    let twin = twin.read().expect("nobody panicked").clone().expect("a model");
    assert!(!Arc::ptr_eq(&twin, &own), "the changed model");
    let copy_now = loaded("copy");
    assert!(Arc::ptr_eq(&copy_now, &own), "another file is as it was");
}
