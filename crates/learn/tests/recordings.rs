//! Learning from recordings that are not all alike, and being asked to stop.

#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use offkey_core::{ErrorKind, Progress, Silent, Stage};
use offkey_learn::{LearnRequest, learn};
use offkey_recipe::Recipe;
use offkey_signal::encode_wav;

const RATE_HZ: u32 = 16_000;

/// Writes noise of so many seconds.
fn record(folder: &Path, name: &str, seed: u32, seconds: f64) {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let samples: Vec<f32> = (0..(seconds * f64::from(RATE_HZ)) as usize)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 * 0.4 - 0.2
        })
        .collect();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), encode_wav(&samples, RATE_HZ)).unwrap();
}

#[test]
fn a_short_recording_that_decides_the_windows_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let told = |shortest_s: f64, window_s: Option<f64>| {
        let data = folder.path().join(format!("{shortest_s} {window_s:?}"));
        (0..5).for_each(|seed| record(&data, &format!("{seed}.wav"), seed, 4.0));
        record(&data, "short.wav", 9, shortest_s);
        let request = LearnRequest { window_s, ..LearnRequest::new(vec![data], "pump") };
        let (_, report) = learn(&request, &Silent).unwrap();
        let warnings = report.warnings.join("\n");
        (report.window_s, warnings)
    };
    let (window_s, warnings) = told(1.5, None);
    assert!((window_s - 1.5).abs() < 1e-9, "{window_s}");
    for part in ["short.wav`, which lasts 1.5 s", "Leave it out", "`--window 4s`"] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    assert!(!told(1.5, Some(4.0)).1.contains("short.wav`, which"), "the person chose");
    assert!(!told(3.9, None).1.contains("short.wav`, which"), "hardly shorter");
}

/// Asks to stop once recordings are being heard, and counts those heard to their end.
#[derive(Default)]
struct Impatient {
    hearing: AtomicBool,
    asked: AtomicUsize,
    heard: AtomicUsize,
}

impl Progress for Impatient {
    fn begin(&self, stage: Stage, _total: u64, _unit: &str) {
        self.hearing.store(stage == Stage::Embed, Ordering::Relaxed);
    }

    fn advance(&self, done: u64, _note: &str) {
        if self.hearing.load(Ordering::Relaxed) && done > 0 {
            self.heard.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn end(&self) {}

    fn note(&self, _message: &str) {}

    fn warn(&self, _message: &str) {}

    fn cancelled(&self) -> bool {
        // Before the recording, and within it.
        self.hearing.load(Ordering::Relaxed) && self.asked.fetch_add(1, Ordering::Relaxed) > 0
    }
}

#[test]
fn a_long_recording_is_left_where_it_is_when_somebody_asks_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), "long.wav", 1, 60.0);
    let impatient = Impatient::default();
    let request = LearnRequest::new(vec![folder.path().to_owned()], "pump");
    let error = learn(&request, &impatient).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert_eq!(impatient.heard.into_inner(), 0, "it was heard to its end");
}

#[test]
fn a_recipe_follows_the_length_of_recordings_unless_its_network_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("short");
    (0..8).for_each(|seed| record(&data, &format!("{seed}.wav"), seed, 3.0));
    let learned = |recipe: &str, set: &[String]| {
        let recipe = Some(Recipe::load(recipe, set).unwrap());
        let request = LearnRequest { recipe, ..LearnRequest::new(vec![data.clone()], "pump") };
        learn(&request, &Silent).map(|(_, report)| report)
    };
    for recipe in ["fusion", "log-mel-statistics"] {
        let report = learned(recipe, &[]).unwrap();
        assert_eq!((report.recordings, report.window_s), (8, 3.0), "{recipe}");
    }
    // What a recipe says is the longest.
    let report = learned("fusion", &["model.pooled.clip_s=2.0".to_owned()]).unwrap();
    assert_eq!((report.recordings, report.window_s), (8, 2.0));
    let error = learned("tiny", &[]).err().unwrap();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("model.network.encoder.clip_s=3"), "{hint}");
    record(&data, "long.wav", 9, 60.0);
    let warnings = learned("tiny", &[]).unwrap().warnings.join("\n");
    for part in ["8 of 9 recordings are shorter", "`--set model.network.encoder.clip_s=3`"] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
}
