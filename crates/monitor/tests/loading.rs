//! Model files that were written before: they judge as they did, and what is kept in new ones changes no verdict.
#![expect(clippy::unwrap_used, reason = "a failing step of a test is a failed test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey_infer::Compute;
use offkey_monitor::{ClipVerdict, Monitor, WindowVerdict};
use safetensors::SafeTensors;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// What a model says of a recording that is none of its machine, window by window.
fn judged(monitor: &Monitor) -> (ClipVerdict, Vec<WindowVerdict>) {
    let mut windows = Vec::new();
    let path = testdata("coded/aac.m4a");
    let clip = monitor.check(&path, &mut |window| windows.push(window.clone())).unwrap();
    (clip, windows)
}

#[test]
fn a_file_without_kept_scales_judges_as_it_did_and_one_with_them_judges_alike() {
    let old = Monitor::load(&testdata("monitor/form_2.offkey"), Compute::default()).unwrap();
    let before = judged(&old);
    // As the version that wrote the file printed it.
    let score = before.0.score.unwrap();
    // Another processor may round a transform otherwise.
    assert!((score - 29.376_355_011_896).abs() < 1e-6, "{score}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.offkey");
    old.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let names = |bytes: &[u8]| {
        let tensors = SafeTensors::deserialize(bytes).unwrap();
        tensors.names().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(names(&bytes).iter().any(|name| name == "scales"));
    let before_bytes = fs::read(testdata("monitor/form_2.offkey")).unwrap();
    assert!(!names(&before_bytes).iter().any(|name| name == "scales"));
    // 24 recordings cost 2 kB.
    assert!(bytes.len() < before_bytes.len() + 4_000, "{}", bytes.len());

    let kept = Monitor::load(&path, Compute::default()).unwrap();
    assert_eq!(judged(&kept), before);
    // What only describes the model needs no detector, and says the same.
    let described = Monitor::describe(&path, &bytes, Compute::default()).unwrap();
    assert!(!described.is_ready() && kept.is_ready());
    assert_eq!(described.promise(), old.promise());
    assert_eq!(described.warnings(), old.warnings());
    assert_eq!(described.fingerprint(), old.fingerprint());
    assert!(!described.is_ready());
    assert_eq!(judged(&described), before);
    kept.save(&folder.path().join("again.offkey")).unwrap();
    assert_eq!(fs::read(folder.path().join("again.offkey")).unwrap(), bytes);
}
