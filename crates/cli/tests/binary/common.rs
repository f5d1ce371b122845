//! Runs the real binary in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::Value;

/// A temporary folder and the binary to run in it.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the binary with words separated by spaces.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn run_words(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_offkey"))
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .expect("the binary starts")
    }

    /// Runs the binary, which must succeed, and returns its standard output.
    pub(crate) fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "`{line}` failed:\n{}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    /// JSON from a command that succeeds, or that ends with the code of an alarm or of something unjudged.
    pub(crate) fn json(&self, line: &str) -> Value {
        let output = self.run(line);
        assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "`{line}`:\n{}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("JSON on standard output")
    }

    /// Runs the binary, which must fail with this code, and returns its standard error.
    pub(crate) fn fails(&self, code: i32, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "`{line}`:\n{}", stderr(&output));
        stderr(&output)
    }

    /// Starts the binary and does not wait for it.
    pub(crate) fn start(&self, line: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_offkey"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts")
    }

    /// Presses Ctrl-C for a started binary.
    pub(crate) fn interrupt(started: &Child) {
        let id = started.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().expect("kill is there");
        assert!(sent.success(), "process {id} takes no signal");
    }

    /// Waits, at most a minute, until a file is there.
    pub(crate) fn wait_for(&self, name: &str) {
        for _ in 0..6000 {
            if self.path(name).exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{name} does not appear");
    }

    pub(crate) fn modified(&self, name: &str) -> SystemTime {
        let metadata = fs::metadata(self.path(name));
        metadata.and_then(|m| m.modified()).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Settings that bring the tiny recipe down to seconds.
pub(crate) const QUICK: &str = "--recipe tiny --quiet --set model.network.encoder.clip_s=2.0 \
    --set model.network.training.length={steps=30} --set model.network.training.batch_clips=16";

/// Every file below a folder with the given extension, sorted.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
