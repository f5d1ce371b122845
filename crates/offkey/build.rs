//! Tells the manifest of runs which commit the program was built from.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=OFFKEY_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if std::env::var_os("OFFKEY_COMMIT").is_some() || !is_release {
        return; // a debug build would be made again at every commit
    }
    if let (Some(commit), Some(log)) = (
        git(&["describe", "--always", "--dirty", "--abbrev=12"]),
        git(&["rev-parse", "--git-path", "logs/HEAD"]),
    ) {
        println!("cargo:rustc-env=OFFKEY_COMMIT={commit}");
        for path in [&log, "..", "../../recipes"] {
            println!("cargo:rerun-if-changed={path}");
        }
    }
}

/// What git prints, where there is git and a repository.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
