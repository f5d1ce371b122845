//! The house rules that a machine can hold: who may depend on whom, how long a file may be.

#![expect(clippy::unwrap_used, reason = "a broken house should stop the test where it broke")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// What each crate may use of ours, as ARCHITECTURE.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("offkey-core", &[]),
    ("offkey-signal", &[]),
    ("offkey-kernels", &[]),
    ("offkey-infer", &["offkey-core", "offkey-signal", "offkey-kernels"]),
    ("offkey-synth", &["offkey-core", "offkey-signal"]),
    ("offkey-train", &["offkey-core", "offkey-signal", "offkey-kernels", "offkey-infer"]),
    ("offkey-score", &["offkey-core"]),
    ("offkey-eval", &["offkey-core"]),
    ("offkey-monitor", &["offkey-core", "offkey-signal", "offkey-infer", "offkey-score"]),
    ("offkey-report", &["offkey-core", "offkey-eval"]),
    ("offkey-explain", &["offkey-core", "offkey-infer", "offkey-report"]),
    (
        "offkey-recipe",
        &["offkey-core", "offkey-signal", "offkey-infer", "offkey-score", "offkey-train"],
    ),
    (
        "offkey-learn",
        &[
            "offkey-core",
            "offkey-signal",
            "offkey-synth",
            "offkey-infer",
            "offkey-train",
            "offkey-score",
            "offkey-monitor",
            "offkey-eval",
            "offkey-recipe",
        ],
    ),
    (
        "offkey",
        &[
            "offkey-core",
            "offkey-signal",
            "offkey-synth",
            "offkey-infer",
            "offkey-train",
            "offkey-score",
            "offkey-monitor",
            "offkey-eval",
            "offkey-explain",
            "offkey-recipe",
            "offkey-learn",
            "offkey-report",
        ],
    ),
    ("offkey-study", &["offkey", "offkey-core", "offkey-eval", "offkey-report"]),
    (
        "offkey-onnx",
        &[
            "offkey",
            "offkey-core",
            "offkey-infer",
            "offkey-monitor",
            "offkey-score",
            "offkey-signal",
        ],
    ),
    (
        "offkey-cli",
        &[
            "offkey",
            "offkey-core",
            "offkey-infer",
            "offkey-monitor",
            "offkey-onnx",
            "offkey-signal",
            "offkey-study",
        ],
    ),
    ("offkey-example-outside", &["offkey"]),
    (
        "offkey-py",
        &[
            "offkey",
            "offkey-core",
            "offkey-eval",
            "offkey-infer",
            "offkey-report",
            "offkey-score",
            "offkey-signal",
        ],
    ),
    (
        "offkey-testkit",
        &["offkey-core", "offkey-infer", "offkey-monitor", "offkey-score", "offkey-signal"],
    ),
    ("offkey-industry", &[]),
    ("offkey-fleet", &["offkey-core"]),
    (
        "offkey-serve",
        &[
            "offkey-core",
            "offkey-fleet",
            "offkey-industry",
            "offkey-infer",
            "offkey-monitor",
            "offkey-signal",
        ],
    ),
];

/// Longest file, in lines.
const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Our packages and the names of what each depends on outside of tests.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let normal = |d: &&Value| d["kind"].is_null();
            let names = package["dependencies"].as_array().unwrap().iter().filter(normal);
            (text(&package["name"]), names.map(|d| text(&d["name"])).collect())
        })
        .collect()
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let dependencies = dependencies();
    let ours: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for name in dependencies.keys() {
        assert!(ours.contains(&name.as_str()), "`{name}` has no place in the table of arrows");
    }
    for &(name, allowed) in ARROWS {
        for dependency in dependencies[name].iter().filter(|d| ours.contains(&d.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "`{name}` must not use `{dependency}`");
        }
    }
}

#[test]
fn the_tensor_framework_is_named_in_one_crate_only() {
    for (name, dependencies) in dependencies() {
        let names_it = dependencies.iter().any(|dependency| dependency.starts_with("burn"));
        assert_eq!(names_it, name == "offkey-train", "{name}");
    }
}

#[test]
fn files_stay_short_and_finished() {
    let mut files = Vec::new();
    source_files(&root().join("crates"), &mut files);
    assert!(files.len() > 50, "found only {} files", files.len());
    let unfinished = ["TO", "FIX", "XX"].map(|head| {
        format!(
            "{head}{}",
            if head == "TO" {
                "DO"
            } else if head == "FIX" {
                "ME"
            } else {
                "X"
            }
        )
    });
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", file.display());
        assert!(text.starts_with("//!"), "{} does not say what it is for", file.display());
        for word in &unfinished {
            assert!(!text.contains(word.as_str()), "{} is unfinished", file.display());
        }
    }
}

#[test]
fn every_type_of_the_facade_has_an_example() {
    let facade = root().join("crates/offkey/src");
    let mut files = Vec::new();
    source_files(&facade, &mut files);
    for name in ["explain", "learn", "recipe"] {
        source_files(&root().join(format!("crates/{name}/src")), &mut files);
    }
    files.extend(
        ["files", "progress", "section", "stages"]
            .map(|name| root().join(format!("crates/core/src/{name}.rs"))),
    );
    let handed_on: String = ["lib.rs", "../../learn/src/lib.rs"]
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(facade.join(file)).unwrap();
            text.split("pub use ")
                .skip(1)
                .map(|part| part.split(';').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect::<Vec<_>>()
        .join(" ");
    let handed_on: Vec<&str> =
        handed_on.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut above = String::new();
        for line in text.lines() {
            let mut words = line.split([' ', '<', '(', ';']);
            let is_type = words.next() == Some("pub")
                && words.next().is_some_and(|word| ["struct", "enum", "trait"].contains(&word));
            let name = words.next().unwrap_or_default().trim_end_matches(':');
            if is_type && handed_on.contains(&name) {
                seen += 1;
                assert!(above.contains("```"), "{}: `{name}` has no example", file.display());
            }
            if line.is_empty() || line == "}" {
                above.clear();
            }
            above += line;
        }
    }
    assert!(seen > 50, "found only {seen} types");
}
