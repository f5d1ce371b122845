//! The program that learns, and a learning that has begun.

use std::path::PathBuf;

/// A machine that begins to be learned.
pub struct Begun {
    pub(super) machine: String,
    pub(super) path: PathBuf,
    pub(super) learner: PathBuf,
}

/// Where the program that learns has to be: beside this one.
pub(super) fn beside_this_program() -> PathBuf {
    let name = format!("offkey{}", std::env::consts::EXE_SUFFIX);
    std::env::current_exe().unwrap_or_default().with_file_name(name)
}
