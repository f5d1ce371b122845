//! Any text as manifest, truth file and score file.

#![no_main]

use std::{fs, path::PathBuf, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use offkey_core::{Clip, Dataset, ScoreRow, Truth, read_score_files, table};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a fuzzer needs a temporary folder"));

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    fs::write(&path, bytes).expect("a fuzzer writes its inputs down");
    path
}

fuzz_target!(|bytes: &[u8]| {
    let manifest = written("manifest.csv", bytes);
    if let Ok(dataset) = Dataset::read(&manifest) {
        assert!(!dataset.clips.is_empty(), "a data set without clips");
    }
    let _ = (table::read_csv::<Clip>(&manifest), table::read_csv::<ScoreRow>(&manifest));
    let _ = Truth::read(&written("ground_truth_fan_section_00_test.csv", bytes));
    let _ = Truth::read(&written("eval_data_list.csv", bytes));
    if let Ok(rows) = read_score_files(&written("anomaly_score_fan_section_00_test.csv", bytes)) {
        assert!(!rows.rows.is_empty(), "score files without scores");
    }
});
