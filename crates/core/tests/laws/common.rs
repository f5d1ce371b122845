//! Small trees of empty files, and the folder of real data where there is one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use offkey_core::{Clip, Condition, Dataset, Domain, Problem, Split};
use tempfile::TempDir;

/// A folder of files that goes away with the value.
pub(crate) struct Tree(TempDir);

impl Tree {
    /// Makes empty files, with their folders.
    pub(crate) fn new(files: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary folder"));
        for file in files {
            tree.write(file, "");
        }
        tree
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a new folder");
        fs::write(path, text).expect("a new file");
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn read(&self) -> Dataset {
        Dataset::read(self.root()).expect("a readable data set")
    }
}

/// One clip in short: `machine section name split domain label attributes`, `-` where unknown.
pub(crate) fn short(clip: &Clip) -> String {
    let or_dash = |word: String| if word.is_empty() { "-".to_owned() } else { word };
    [
        clip.machine.clone(),
        clip.section.clone(),
        clip.name.clone(),
        or_dash(clip.split.to_string()),
        or_dash(clip.domain.map(|domain| domain.to_string()).unwrap_or_default()),
        or_dash(clip.condition.map(|condition| condition.to_string()).unwrap_or_default()),
        or_dash(clip.attributes.clone()),
    ]
    .join(" ")
}

pub(crate) fn shorts(dataset: &Dataset) -> Vec<String> {
    dataset.clips.iter().map(short).collect()
}

pub(crate) fn kinds(dataset: &Dataset) -> Vec<&'static str> {
    dataset.problems.iter().map(Problem::kind).collect()
}

/// A training clip with all its metadata.
pub(crate) fn clip(
    machine: &str,
    section: &str,
    attributes: &str,
    domain: Domain,
    name: &str,
) -> Clip {
    Clip {
        path: PathBuf::from(name),
        name: name.to_owned(),
        machine: machine.to_owned(),
        section: section.to_owned(),
        domain: Some(domain),
        split: Split::Train,
        condition: Some(Condition::Normal),
        attributes: attributes.to_owned(),
        group: name.to_owned(),
    }
}

/// The real data below `part`, or `None` after saying that the test is skipped.
pub(crate) fn real_data(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("OFFKEY_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(part);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: real data `{part}` absent (set OFFKEY_TEST_DATA)");
    None
}
